// Why something could not be done, where it was tried; read out at once.
import type { ComponentChildren } from 'preact';
import { Icon } from './icon.tsx';

export function Problem({ children }: { children: ComponentChildren }) {
  return (
    <p class="form-problem" role="alert">
      <Icon name="circle-alert" size={16} />
      {children}
    </p>
  );
}
