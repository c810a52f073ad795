// Pictures of a thread, one at a time, as large as there is room: arrows, Save, Esc. Loaded when the first one is opened.
import { useEffect, useState } from 'preact/hooks';
import type { Attachment } from '../../../src/web/contract.ts';
import { t } from '../texts.ts';
import { Dialog } from './dialog.tsx';
import { Icon } from './icon.tsx';

export default function Viewer({
  pictures,
  openedAt,
  onClose,
}: {
  pictures: readonly Attachment[];
  openedAt: string;
  onClose: () => void;
}) {
  const [at, setAt] = useState(() =>
    Math.max(
      0,
      pictures.findIndex(({ id }) => id === openedAt),
    ),
  );
  const shown = pictures[at];
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
      if (step === 0) return;
      event.preventDefault();
      setAt((now) => Math.max(0, Math.min(pictures.length - 1, now + step)));
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [pictures.length]);
  if (!shown?.url) return null;
  return (
    <Dialog
      kind="viewer"
      title={shown.name}
      label={t('viewer.title', { name: shown.name })}
      onClose={onClose}
      footer={
        <>
          {pictures.length > 1 && (
            <span class="viewer-steps">
              <button
                type="button"
                class="icon-button"
                aria-label={t('viewer.previous')}
                disabled={at === 0}
                onClick={() => setAt(at - 1)}
              >
                <Icon name="chevron-left" size={18} />
              </button>
              <span aria-live="polite">{t('viewer.position', { at: at + 1, of: pictures.length })}</span>
              <button
                type="button"
                class="icon-button"
                aria-label={t('viewer.next')}
                disabled={at === pictures.length - 1}
                onClick={() => setAt(at + 1)}
              >
                <Icon name="chevron-right" size={18} />
              </button>
            </span>
          )}
          <a class="button" href={shown.url} download={shown.name}>
            <Icon name="download" size={16} />
            {t('viewer.save')}
          </a>
        </>
      }
    >
      <img class="viewed" src={shown.url} alt={shown.name} />
    </Dialog>
  );
}
