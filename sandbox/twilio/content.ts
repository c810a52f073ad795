// Templates (Content API v1, and the list of v2): read only, as far as an inbox needs them.
import type Router from '@koa/router';
import type { Context } from 'koa';
import { paramOf } from '../listen.ts';
import { metaList, notFound, ownAccount, queryOf } from './api.ts';
import type { TwilioState, TwilioTemplate } from './state.ts';

const paging = ['PageSize', 'Page', 'PageToken'];

export function contentRoutes(router: Router, state: TwilioState): void {
  router.get('/v1/Content', (ctx) => {
    queryOf(ctx, paging);
    ctx.body = metaList(state, ctx, 'contents', templatesOf(state, ctx).map(contentResource), 50);
  });

  router.get('/v1/ContentAndApprovals', (ctx) => {
    queryOf(ctx, paging);
    ctx.body = metaList(state, ctx, 'contents', templatesOf(state, ctx).map(withApproval), 50);
  });

  router.get('/v2/ContentAndApprovals', (ctx) => {
    const query = queryOf(ctx, [
      ...paging,
      'ContentName',
      'Content',
      'Language',
      'ContentType',
      'ChannelEligibility',
      'SortByDate',
      'SortByContentName',
      'DateCreatedAfter',
      'DateCreatedBefore',
    ]);
    const languages = query.getAll('Language');
    const types = query.getAll('ContentType');
    const eligible = query.getAll('ChannelEligibility').map((each) => each.split(':')[1]);
    const found = templatesOf(state, ctx).filter(
      (template) =>
        (languages.length === 0 || languages.includes(template.language)) &&
        (types.length === 0 || types.some((type) => type in template.types)) &&
        (eligible.length === 0 || eligible.includes(template.approval.status)) &&
        template.name.includes(query.get('ContentName') ?? ''),
    );
    ctx.body = metaList(state, ctx, 'contents', found.map(withApproval), 50);
  });

  router.get('/v1/Content/:content', (ctx) => {
    queryOf(ctx, []);
    ctx.body = contentResource(templateOf(state, ctx));
  });

  router.get('/v1/Content/:content/ApprovalRequests', (ctx) => {
    queryOf(ctx, []);
    const template = templateOf(state, ctx);
    ctx.body = {
      sid: template.sid,
      account_sid: template.accountSid,
      whatsapp: { type: 'whatsapp', ...template.approval },
      url: `${state.url}/v1/Content/${template.sid}/ApprovalRequests`,
    };
  });
}

function templatesOf(state: TwilioState, ctx: Context): TwilioTemplate[] {
  const account = ownAccount(ctx);
  return [...state.templates.values()].filter((template) => template.accountSid === account.sid);
}

function templateOf(state: TwilioState, ctx: Context): TwilioTemplate {
  const template = state.templates.get(paramOf(ctx, 'content'));
  if (template?.accountSid !== ownAccount(ctx).sid) throw notFound(ctx);
  return template;
}

function contentResource(template: TwilioTemplate): object {
  const at = new Date(template.createdAt).toISOString();
  return {
    sid: template.sid,
    account_sid: template.accountSid,
    friendly_name: template.name,
    language: template.language,
    variables: template.variables,
    types: template.types,
    date_created: at,
    date_updated: at,
  };
}

function withApproval(template: TwilioTemplate): object {
  return { ...contentResource(template), approval_requests: template.approval };
}
