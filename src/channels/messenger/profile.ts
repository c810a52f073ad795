// A contact's name and picture (User Profile API), and all the ways they are refused. Never an invented name.
import { z } from 'zod';
import { UpstreamError } from '../../base/errors.ts';
import type { ChannelAccess, Profile } from '../provider.ts';
import { graph } from './graph.ts';
import type { MessengerDeps } from './settings.ts';

export async function readProfile(deps: MessengerDeps, channel: ChannelAccess, psid: string): Promise<Profile> {
  const profile = (await unlessRefused(() => ownProfile(deps, channel, psid))) ?? { name: null, avatarUrl: null };
  if (profile.name !== null) return profile;
  const name = await unlessRefused(() => nameInConversation(deps, channel, psid));
  return { ...profile, name: name ?? null };
}

async function ownProfile(deps: MessengerDeps, channel: ChannelAccess, psid: string): Promise<Profile> {
  const answer = await graph(deps, {
    method: 'GET',
    path: psid,
    token: channel.credentials.pageToken ?? '',
    query: { fields: 'name,first_name,last_name,profile_pic' },
  });
  const parts = [answer.first_name, answer.last_name].filter((part) => typeof part === 'string' && part !== '');
  const name = typeof answer.name === 'string' && answer.name !== '' ? answer.name : parts.join(' ');
  return { name: name || null, avatarUrl: typeof answer.profile_pic === 'string' ? answer.profile_pic : null };
}

const participantsShape = z.object({
  data: z.array(
    z.object({ participants: z.object({ data: z.array(z.object({ id: z.string(), name: z.string().nullish() })) }) }),
  ),
});

/** The Page's own list of conversations names people whose profile is not for us. */
async function nameInConversation(deps: MessengerDeps, channel: ChannelAccess, psid: string): Promise<string | null> {
  const { data } = participantsShape.parse(
    await graph(deps, {
      method: 'GET',
      path: `${channel.address}/conversations`,
      token: channel.credentials.pageToken ?? '',
      query: { platform: 'messenger', user_id: psid, fields: 'participants' },
    }),
  );
  const people = data.flatMap(({ participants }) => participants.data);
  return people.find(({ id }) => id === psid)?.name || null;
}

/** What is not for us is as if it were not there; whatever else fails is tried again. */
async function unlessRefused<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') return undefined;
    throw error;
  }
}
