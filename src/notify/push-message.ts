// What a browser is told by Web Push: the server writes it, the service worker reads it, by way of web/contract.ts. Types only.

/** What the service worker is told; sealed for the browser, the push service cannot read it. */
export type PushMessage =
  | {
      readonly kind: 'notice';
      readonly conversationId: string;
      readonly trigger: string;
      readonly title: string;
      readonly body: string;
      readonly url: string;
      readonly language: string;
    }
  | { readonly kind: 'withdraw'; readonly conversationId: string }
  | {
      readonly kind: 'test';
      readonly testId: string;
      readonly title: string;
      readonly body: string;
      readonly url: string;
    };
