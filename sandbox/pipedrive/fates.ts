// What people do to records on the pages: delete, merge, convert, archive; notes move along, and webhooks tell of it.
import { emit } from './webhooks.ts';
import { newId, timeV2, type Deal, type Lead, type Person, type State, type User } from './state.ts';

type Merging = Person | Deal;

export function deleteRecord(state: State, entity: 'person' | 'deal' | 'lead', record: Person | Deal | Lead): void {
  const previous = { ...record };
  record.is_deleted = true;
  record.update_time = timeV2(state);
  emit(state, { ...by(record), entity, action: 'delete', data: null, previous });
}

/** The one whose id is in the address goes; `into` survives and takes over its notes and what hangs on it. */
export function mergeRecords<T extends Merging>(state: State, entity: 'person' | 'deal', gone: T, into: T): void {
  const previous = { ...gone };
  gone.is_deleted = true;
  gone.update_time = timeV2(state);
  into.update_time = timeV2(state);
  const field = `${entity}_id` as const;
  for (const note of state.notes) if (note[field] === gone.id) note[field] = into.id;
  if (entity === 'person') {
    for (const row of [...state.deals, ...state.leads]) if (row.person_id === gone.id) row.person_id = into.id;
    const [from, to] = [gone as Person, into as Person];
    for (const phone of from.phones)
      if (!to.phones.some(({ value }) => value === phone.value)) to.phones.push({ ...phone, primary: false });
  }
  emit(state, { ...by(gone), entity, action: 'delete', data: null, previous, mergedTo: into.id });
  emit(state, { ...by(into), entity, action: 'change', data: { ...into }, previous: {}, mergedFrom: gone.id });
}

/** No event of its own: the lead is deleted, a deal is created that remembers it. */
export function convertLead(state: State, lead: Lead): Deal {
  const deal: Deal = {
    id: newId(state),
    companyId: lead.companyId,
    title: lead.title,
    owner_id: lead.owner_id,
    person_id: lead.person_id,
    org_id: lead.organization_id,
    pipeline_id: 1,
    stage_id: 1,
    value: lead.value?.amount ?? 0,
    currency: lead.value?.currency ?? 'SEK',
    status: 'open',
    is_deleted: false,
    source_lead_id: lead.id,
    add_time: timeV2(state),
    update_time: timeV2(state),
  };
  state.deals.push(deal);
  for (const note of state.notes) {
    if (note.lead_id !== lead.id) continue;
    note.lead_id = null;
    note.deal_id = deal.id;
  }
  deleteRecord(state, 'lead', lead);
  emit(state, { ...by(deal), entity: 'deal', action: 'create', data: { ...deal }, previous: null });
  return deal;
}

export function archiveLead(state: State, lead: Lead, archived: boolean): void {
  const previous = { is_archived: lead.is_archived };
  lead.is_archived = archived;
  lead.update_time = timeV2(state);
  emit(state, { ...by(lead), entity: 'lead', action: 'change', data: { ...lead }, previous });
}

function by(record: { id: number | string; companyId: number }, user?: User) {
  return { id: record.id, companyId: record.companyId, userId: user?.id ?? null, source: 'app' as const };
}
