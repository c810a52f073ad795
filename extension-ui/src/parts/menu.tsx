// A button that opens a menu: arrows, Home, End, a typed letter; Esc gives the focus back.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon, type IconName } from './icon.tsx';

export interface MenuItem {
  readonly key: string;
  readonly label: string;
  /** Stands before the label. */
  readonly icon?: IconName;
  /** In place of icon and label. */
  readonly content?: ComponentChildren;
  readonly onPick?: () => void;
  readonly href?: string;
  readonly disabled?: boolean;
  readonly checked?: boolean;
  readonly danger?: boolean;
  /** A rule above it. */
  readonly rule?: boolean;
}

export interface MenuProps {
  readonly label: string;
  readonly button: ComponentChildren;
  readonly buttonClass?: string;
  readonly items: readonly MenuItem[];
  readonly align?: 'left' | 'right';
  /** The button's own words are its name. */
  readonly named?: boolean;
}

export function Menu({ label, button, buttonClass = 'icon-button', items, align = 'right', named = false }: MenuProps) {
  const [open, setOpen] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = (giveBack: boolean): void => {
    setOpen(false);
    if (giveBack) opener.current?.focus();
  };
  useEffect(() => {
    if (!open) return;
    list.current?.querySelector<HTMLElement>('[role^="menuitem"]')?.focus();
    const outside = (event: Event): void => {
      if (!list.current?.contains(event.target as Node) && !opener.current?.contains(event.target as Node))
        close(false);
    };
    addEventListener('pointerdown', outside);
    return () => removeEventListener('pointerdown', outside);
  }, [open]);
  const onKey = (event: KeyboardEvent): void => {
    const all = [...(list.current?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const go = (to: number): void => {
      event.preventDefault();
      all[(to + all.length) % all.length]?.focus();
    };
    if (event.key === 'ArrowDown') go(at + 1);
    else if (event.key === 'ArrowUp') go(at - 1);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(all.length - 1);
    else if (event.key === 'Tab') close(false);
    else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      close(true);
    } else if (event.key.length === 1) {
      const found = all.findIndex((item) => item.textContent?.trim().toLowerCase().startsWith(event.key.toLowerCase()));
      if (found >= 0) go(found);
    }
  };
  return (
    <span class="menu-anchor">
      <button
        ref={opener}
        type="button"
        class={buttonClass}
        aria-label={named ? undefined : label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {button}
      </button>
      {open && (
        <div ref={list} class={`menu ${align}`} role="menu" aria-label={label} onKeyDown={onKey}>
          {items.map((item) => {
            const common = {
              class: `menu-item${item.danger ? ' danger' : ''}${item.rule ? ' rule' : ''}`,
              role: item.checked === undefined ? ('menuitem' as const) : ('menuitemradio' as const),
              tabIndex: -1,
              ...(item.checked === undefined ? {} : { 'aria-checked': item.checked }),
              ...(item.disabled ? { 'aria-disabled': true } : {}),
            };
            const content = item.content ?? (
              <>
                {item.icon && <Icon name={item.icon} size={16} />}
                {item.label}
              </>
            );
            return item.href ? (
              <a
                key={item.key}
                {...common}
                href={item.href}
                target="_blank"
                rel="noreferrer noopener"
                onClick={() => close(false)}
              >
                {content}
              </a>
            ) : (
              <button
                key={item.key}
                type="button"
                {...common}
                onClick={() => {
                  if (item.disabled) return;
                  close(true);
                  item.onPick?.();
                }}
              >
                {content}
              </button>
            );
          })}
        </div>
      )}
    </span>
  );
}
