// What Messenger's parts are given: the app at Meta, and the way out.
import type { Send } from '../../base/http.ts';

export interface MessengerSettings {
  readonly appId: string;
  readonly appSecret: string;
  readonly verifyToken: string;
  readonly graphUrl: string;
  readonly graphVersion: string;
  readonly loginUrl: string;
  readonly loginConfigId: string | null;
  /** Whether Meta granted the feature Human Agent: 7 days instead of 24 hours. */
  readonly humanAgent: boolean;
}

export interface MessengerDeps extends MessengerSettings {
  readonly send: Send;
  readonly publicUrl: string;
}
