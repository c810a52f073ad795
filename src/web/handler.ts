// What a call of the app's own API is to the code behind it.
import type { Viewer } from '../companies/access.ts';
import type { CallName } from './contract.ts';
import type { UploadedFile } from './upload.ts';

export interface CallRequest {
  readonly viewer: Viewer;
  readonly params: Readonly<Record<string, string>>;
  /** Already read by the contract's shape. */
  readonly query: never;
  readonly body: never;
  /** Of a call that takes one; removed when the call is over. */
  readonly file?: UploadedFile | undefined;
}

export interface CallAnswer {
  readonly status: number;
  /** JSON, or a stream of what `type` says. */
  readonly body?: unknown;
  readonly type?: string;
  /** Under which name a browser saves it. */
  readonly fileName?: string;
}

export type Handler = (request: CallRequest) => Promise<CallAnswer>;
export type Handlers = Partial<Record<CallName, Handler>>;

export function ok(body: unknown): CallAnswer {
  return { status: 200, body };
}

export const noContent: CallAnswer = { status: 204 };
