// A Page's own calls: webhook subscriptions, the thread's owner, and what a Page or a person says of itself.
import type Router from '@koa/router';
import { paramOf, scalar } from '../listen.ts';
import { cut, parseFields } from './fields.ts';
import { GraphError, bodyOf, invalid, missing, pageOf, queryOf, tokenOf } from './graph.ts';
import { pictureOf } from './login.ts';
import { addressOf, humanAt, type MetaHuman, type MetaPage, type MetaState } from './state.ts';

/** Documented Page fields for Messenger (Webhooks; enumerated in the vendor's business SDK 24). */
const webhookFields = [
  'messages', 'messaging_postbacks', 'message_deliveries', 'message_reads', 'message_echoes', 'message_reactions',
  'message_edits', 'messaging_account_linking', 'messaging_feedback', 'messaging_game_plays', 'messaging_handovers',
  'messaging_optins', 'messaging_optouts', 'messaging_policy_enforcement', 'messaging_referrals', 'response_feedback',
  'send_cart', 'standby', 'messenger_template_status_update', 'message_context', 'inbox_labels', 'conversations', 'feed',
]; // prettier-ignore

const subscribing = ['CREATE_CONTENT', 'MANAGE', 'MODERATE'];

export function pageRoutes(router: Router, state: MetaState): void {
  router.get('/:id/subscribed_apps', (ctx) => {
    queryOf(ctx);
    const page = pageOf(state, ctx, 'pages_show_list', [...subscribing, 'MESSAGING']);
    const installed = { category: 'Business', name: state.app.name, id: state.app.id, link: state.appUrl() };
    ctx.body = { data: page.subscribedFields ? [{ ...installed, subscribed_fields: page.subscribedFields }] : [] };
  });

  router.post('/:id/subscribed_apps', async (ctx) => {
    const query = queryOf(ctx, ['subscribed_fields']);
    const body = await bodyOf(ctx, ['subscribed_fields']);
    const page = pageOf(state, ctx, 'pages_manage_metadata', subscribing);
    const given = query.get('subscribed_fields') ?? body.fields.subscribed_fields;
    const fields = Array.isArray(given) ? given.map(String) : scalar(given).split(',').filter(Boolean);
    if (fields.length === 0) throw invalid('The parameter subscribed_fields is required');
    const strange = fields.find((field) => !webhookFields.includes(field));
    if (strange) throw invalid(`Param subscribed_fields must be one of the known fields, not ${strange}`);
    page.subscribedFields = fields;
    ctx.body = { success: true };
    state.changed();
  });

  router.delete('/:id/subscribed_apps', (ctx) => {
    queryOf(ctx);
    const page = pageOf(state, ctx, 'pages_manage_metadata', subscribing);
    page.subscribedFields = null;
    ctx.body = { success: true };
    state.changed();
  });

  router.get('/:id/thread_owner', (ctx) => {
    queryOf(ctx, ['recipient']);
    const page = pageOf(state, ctx, 'pages_messaging', ['MESSAGING']);
    const expiration = Math.floor(state.now() / 1_000) + 24 * 3_600;
    const owner = { thread_owner: { app_id: '550987612340087', expiration } };
    ctx.body = { data: page.ownedByOtherApp ? [owner] : [] };
  });

  router.get('/:id', (ctx) => {
    const query = queryOf(ctx);
    const token = tokenOf(state, ctx);
    const fields = parseFields(query.get('fields') ?? 'id,name');
    const id = paramOf(ctx, 'id') === 'me' ? (token.pageId ?? token.personId) : paramOf(ctx, 'id');
    const person = token.kind === 'user' && token.personId === id ? state.people.get(id) : undefined;
    if (person) {
      ctx.body = cut('User', fields, { id: () => person.id, name: () => person.name });
      return;
    }
    const page = state.pages.get(id);
    if (page && (token.pageId === page.id || state.people.get(token.personId)?.grant?.pageIds.has(page.id))) {
      ctx.body = pageObject(state, page, fields);
      return;
    }
    const human = token.pageId === null ? undefined : humanAt(state, token.pageId, id);
    if (!human) throw missing(id);
    ctx.body = profile(state, human, id, query.get('fields'));
  });
}

function pageObject(state: MetaState, page: MetaPage, fields: ReturnType<typeof parseFields>): object {
  return cut('Page', fields, {
    id: () => page.id,
    name: () => page.name,
    category: () => page.category,
    link: () => `https://www.facebook.com/${page.id}`,
    picture: () => ({ data: { url: pictureOf(state, page) } }),
    messaging_feature_status: () => ({ hop_v2: page.ownedByOtherApp, msgr_multi_app: false, ig_multi_app: false }),
  });
}

/** User Profile API, with all the ways it gives less than was asked. */
function profile(state: MetaState, human: MetaHuman, psid: string, asked: string | null): object {
  if (human.profile === 'none' || human.profile === 'nowhere')
    throw new GraphError(100, 2018218, '(#100) No profile available for this user');
  if (human.profile === 'permission') throw new GraphError(100, 2018247, '(#100) Insufficient permission');
  if (human.profile === 'empty') return {};
  const [first, ...rest] = human.name.split(' ');
  const isFull = human.profile === 'full';
  return cut('User', parseFields(asked ?? 'first_name,last_name,profile_pic'), {
    id: () => psid,
    name: () => human.name,
    first_name: () => (isFull ? first : undefined),
    last_name: () => (isFull ? rest.join(' ') : undefined),
    profile_pic: () => (isFull && human.picture ? addressOf(state, `profile-${psid}`, human.picture) : undefined),
  });
}
