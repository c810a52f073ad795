// A contact's name and picture (User Profile API), and all the ways they are refused. Never an invented name.
import { UpstreamError } from '../../base/errors.ts';
import type { ChannelAccess, Profile } from '../provider.ts';
import { graph } from './graph.ts';
import type { MessengerDeps } from './settings.ts';

export async function readProfile(deps: MessengerDeps, channel: ChannelAccess, psid: string): Promise<Profile> {
  try {
    const answer = await graph(deps, {
      method: 'GET',
      path: psid,
      token: channel.credentials.pageToken ?? '',
      query: { fields: 'name,first_name,last_name,profile_pic' },
    });
    const parts = [answer.first_name, answer.last_name].filter((part) => typeof part === 'string' && part !== '');
    const name = typeof answer.name === 'string' && answer.name !== '' ? answer.name : parts.join(' ');
    return { name: name || null, avatarUrl: typeof answer.profile_pic === 'string' ? answer.profile_pic : null };
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'refused') return { name: null, avatarUrl: null };
    throw error;
  }
}
