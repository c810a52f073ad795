// Whose conversation it is, and giving it to somebody: oneself first, then who is available.
import type { Conversation } from '../../../src/web/contract.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import { Menu, type MenuItem } from '../parts/menu.tsx';
import { firstName } from '../parts/row.tsx';
import type { Store } from '../store.ts';
import { t } from '../texts.ts';
import { useStore } from '../use-store.ts';

export function AssigneeMenu({
  store,
  conversation,
  narrow,
}: {
  store: Store;
  conversation: Conversation;
  narrow: boolean;
}) {
  const users = useStore(store, (state) => state.users);
  const me = useStore(store, (state) => state.me.user);
  const { assignee } = conversation;
  const inOrder = [...users].sort(
    (left, right) =>
      Number(right.id === me.id) - Number(left.id === me.id) ||
      Number(right.available) - Number(left.available) ||
      left.name.localeCompare(right.name),
  );
  const items: MenuItem[] = inOrder.map((user) => ({
    key: user.id,
    label: user.name,
    checked: assignee?.id === user.id,
    disabled: !user.available,
    content: (
      <>
        <Avatar id={user.id} name={user.name} url={user.avatarUrl} size={24} />
        <span class="two-lines">
          <span>{user.id === me.id ? t('assign.me', { name: user.name }) : user.name}</span>
          {!user.available && (
            <small>
              <Icon name="moon" size={12} /> {t('assign.away', { name: firstName(user.name) })}
            </small>
          )}
        </span>
        {assignee?.id === user.id && <Icon name="check" size={16} />}
      </>
    ),
    onPick: () => void store.actions.assign(conversation.id, { id: user.id, name: user.name }),
  }));
  if (assignee) {
    items.push({
      key: 'nobody',
      label: t('assign.nobody'),
      rule: true,
      icon: 'x',
      onPick: () => void store.actions.assign(conversation.id, null),
    });
  }
  return (
    <Menu
      label={assignee ? t('assign.label', { name: assignee.name }) : t('thread.assign')}
      buttonClass={narrow ? 'icon-button' : 'button assignee-button'}
      button={
        assignee ? (
          <>
            <Avatar id={assignee.id} name={assignee.name} size={narrow ? 24 : 20} />
            {!narrow && <span>{firstName(assignee.name)}</span>}
            {!narrow && <Icon name="chevron-down" size={14} />}
          </>
        ) : (
          <>
            <Icon name="user-check" size={16} />
            {!narrow && <span>{t('thread.assign')}</span>}
          </>
        )
      }
      items={items}
    />
  );
}
