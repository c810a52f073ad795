// The call about templates.
import type { InboxDeps } from '../../inbox/deps.ts';
import { listTemplates } from '../../inbox/templates.ts';
import { ok, type Handlers } from '../handler.ts';

export function templateCalls(inbox: InboxDeps): Handlers {
  return {
    listTemplates: async ({ viewer, params }) =>
      ok({ data: await listTemplates(inbox, viewer, params.id!), nextCursor: null }),
  };
}
