// What the link form says, as the calls that do it and the words of the button that makes them. Pure.
import type { LinkRequest, PipedriveRecord, RecordType } from '../../../src/web/contract.ts';

export type Who = { kind: 'found'; id: string; name: string } | { kind: 'new' } | { kind: 'linked'; name: string };

export interface LinkWish {
  readonly who: Who;
  /** What the conversation is to belong to, if nothing that exists was chosen. */
  readonly target: RecordType;
  readonly existing: PipedriveRecord | null;
  /** Of a new person. */
  readonly name: string;
  readonly phone: string;
  /** Of a new lead or deal. */
  readonly title: string;
  readonly value: string;
  readonly currency: string | null;
  readonly ownerId: string;
  readonly pipelineId: string;
  readonly stageId: string;
  /** Idempotency key of what is created. */
  readonly key: string;
}

export function lacksName({ who, target, existing, name, title }: LinkWish): boolean {
  return !existing && ((who.kind === 'new' && name.trim() === '') || (target !== 'person' && title.trim() === ''));
}

export function linkRequests(wish: LinkWish): LinkRequest[] {
  const { who, target, existing, ownerId, key } = wish;
  if (existing) return [...personBefore(who, existing), { type: existing.type, recordId: existing.recordId }];
  const newPerson = { name: wish.name.trim(), ownerId, ...(wish.phone ? { phone: wish.phone } : {}) };
  if (target === 'person') {
    return [
      who.kind === 'found'
        ? { type: 'person', recordId: who.id }
        : { type: 'person', create: newPerson, idempotencyKey: key },
    ];
  }
  const value = valueOf(wish);
  return [
    {
      type: target,
      create: {
        title: wish.title.trim(),
        ownerId,
        ...(who.kind === 'found' ? { person: { id: who.id } } : who.kind === 'new' ? { person: newPerson } : {}),
        ...(target === 'deal' && wish.pipelineId ? { pipelineId: wish.pipelineId, stageId: wish.stageId } : {}),
        ...(value ? { value } : {}),
      },
      idempotencyKey: key,
    },
  ];
}

/** The chosen person is linked too, unless the chosen record belongs to somebody else. */
function personBefore(who: Who, { type, personId }: PipedriveRecord): LinkRequest[] {
  const fits = who.kind === 'found' && type !== 'person' && (personId === null || personId === who.id);
  return fits ? [{ type: 'person', recordId: who.id }] : [];
}

/** As it is typed in either language: `12 500,50`. */
function valueOf({ value, currency }: LinkWish): { amount: number; currency: string } | undefined {
  const amount = Number(value.replace(/[\s\u00a0]/g, '').replace(',', '.'));
  return currency !== null && value.trim() !== '' && Number.isFinite(amount) ? { amount, currency } : undefined;
}

export function submitKey({ who, target, existing }: LinkWish): string {
  if (existing)
    return existing.type === 'person'
      ? 'link.do.person'
      : existing.type === 'lead'
        ? 'link.do.useLead'
        : 'link.do.useDeal';
  if (target === 'person') return who.kind === 'new' ? 'link.do.newPerson' : 'link.do.person';
  if (who.kind === 'linked') return `link.do.${target}`;
  return who.kind === 'new' ? `link.do.newPerson.${target}` : target === 'deal' ? 'link.submit' : 'link.do.person.lead';
}
