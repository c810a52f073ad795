// The bell. What is behind it is loaded when it is pressed, or when a mail's "Change settings" leads here.
import { useState } from 'preact/hooks';
import { Icon } from '../parts/icon.tsx';
import { t } from '../texts.ts';
import { useLazy } from '../use-lazy.ts';
import type { NotificationsDialogProps } from './notifications-dialog.tsx';

const loadDialog = () =>
  import('./notifications-dialog.tsx').then(({ NotificationsDialog }) => ({ default: NotificationsDialog }));

export function Notifications({ open, ...props }: NotificationsDialogProps & { readonly open: boolean }) {
  const NotificationsDialog = useLazy(open, loadDialog);
  return open && NotificationsDialog ? <NotificationsDialog {...props} /> : null;
}

export function NotificationsButton({ store, kind }: Pick<NotificationsDialogProps, 'store' | 'kind'>) {
  const [open, setOpen] = useState(() => kind === 'page' && new URLSearchParams(location.search).has('notifications'));
  return (
    <>
      <button
        type="button"
        class="icon-button"
        aria-haspopup="dialog"
        aria-label={t('notify.title')}
        title={t('notify.title')}
        onClick={() => setOpen(true)}
      >
        <Icon name="bell" size={18} />
      </button>
      <Notifications store={store} kind={kind} open={open} onClose={() => setOpen(false)} />
    </>
  );
}
