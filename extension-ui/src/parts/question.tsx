// A question before an act that cannot be undone: the answer that changes nothing has the focus.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Dialog } from './dialog.tsx';
import { Icon, type IconName } from './icon.tsx';

export interface QuestionProps {
  readonly title: string;
  /** Words of the answer that changes nothing. */
  readonly keep: string;
  /** Words of the answer that acts. */
  readonly act: string;
  readonly icon?: IconName;
  /** The act destroys something. */
  readonly danger?: boolean;
  readonly disabled?: boolean;
  readonly busy?: boolean;
  readonly onKeep: () => void;
  readonly onAct: () => void;
  readonly children: ComponentChildren;
}

export function Question(props: QuestionProps) {
  const { title, keep, act, icon, danger = false, disabled = false, busy = false, onKeep, onAct, children } = props;
  const keeping = useRef<HTMLButtonElement>(null);
  // By hand: browsers refuse `autofocus` in a frame of another site.
  useEffect(() => keeping.current?.focus(), []);
  return (
    <Dialog
      kind="question"
      title={title}
      label={title}
      onClose={onKeep}
      footer={
        <>
          <button ref={keeping} type="button" class="button" onClick={onKeep}>
            {keep}
          </button>
          <button
            type="button"
            class={`button ${danger ? 'danger' : 'primary'}`}
            disabled={disabled}
            aria-busy={busy}
            onClick={onAct}
          >
            {icon && <Icon name={icon} size={16} />}
            {act}
          </button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}
