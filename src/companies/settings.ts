// Settings of a company, and each user's notification switches.
import { z } from 'zod';
import type { Reader, Tx } from '../db/database.ts';
import type { CompanyRow } from '../db/tables.ts';
import { requireAdmin, type Viewer } from './access.ts';

const shape = z.object({
  returnToUnassignedWhenAway: z.boolean().default(false),
  autoLinkExactMatch: z.boolean().default(false),
  autoCreateLead: z.boolean().default(false),
  mailContent: z.boolean().default(true),
  retentionDays: z.number().int().positive().nullable().default(null),
  defaultVisibility: z.enum(['shared', 'private']).default('shared'),
  language: z.enum(['en', 'sv']).default('en'),
  timeZone: z.string().default('UTC'),
});
export type CompanySettings = z.infer<typeof shape>;

/** What a company begins with: language and time zone of the user who installed first. */
export function firstSettings(user: { language: 'en' | 'sv'; timeZone: string }): string {
  return JSON.stringify(shape.parse({ language: user.language, timeZone: user.timeZone }));
}

export function parseSettings(company: Pick<CompanyRow, 'settings'>): CompanySettings {
  return shape.parse(JSON.parse(company.settings));
}

export async function readSettings(reader: Pick<Reader, 'one'>, companyId: string): Promise<CompanySettings> {
  const company = await reader.one<CompanyRow>('select * from company where id = ?', [companyId]);
  return company ? parseSettings(company) : shape.parse({});
}

/** Admins only. Leaves out what is not named. */
export async function changeSettings(
  tx: Tx,
  viewer: Viewer,
  patch: Partial<CompanySettings>,
): Promise<CompanySettings> {
  requireAdmin(viewer);
  const before = await readSettings(tx, viewer.companyId);
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
  const after = shape.parse({ ...before, ...given });
  await tx.query('update company set settings = ? where id = ?', [JSON.stringify(after), viewer.companyId]);
  return after;
}

const switches = z.object({ mine: z.boolean(), others: z.boolean(), unassigned: z.boolean(), assigned: z.boolean() });
const notifications = z.object({ desktop: switches, email: switches });
export type NotificationSwitches = z.infer<typeof notifications>;

/** On where it concerns oneself or nobody else will see it, off where it would flood (N1). */
export const firstNotifications: NotificationSwitches = {
  desktop: { mine: true, others: false, unassigned: true, assigned: true },
  email: { mine: true, others: false, unassigned: false, assigned: true },
};

export async function readNotifications(
  reader: Pick<Reader, 'one'>,
  user: { companyId: string; userId: string },
): Promise<NotificationSwitches> {
  const row = await reader.one<{ notifications: string }>(
    'select notifications from app_user where company_id = ? and id = ?',
    [user.companyId, user.userId],
  );
  return row ? parseNotifications(row.notifications) : firstNotifications;
}

export async function changeNotifications(
  tx: Tx,
  user: { companyId: string; userId: string },
  switches: NotificationSwitches,
): Promise<void> {
  await tx.query('update app_user set notifications = ? where company_id = ? and id = ?', [
    JSON.stringify(notifications.parse(switches)),
    user.companyId,
    user.userId,
  ]);
}

export function parseNotifications(text: string): NotificationSwitches {
  return notifications.catch(firstNotifications).parse(JSON.parse(text));
}
