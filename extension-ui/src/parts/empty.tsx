// What stands where nothing is: why, and the next step.
import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon.tsx';

export function Empty({
  icon,
  title,
  body,
  children,
}: {
  icon: IconName;
  title: string;
  body: string;
  children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <span class="disc">
        <Icon name={icon} size={22} />
      </span>
      <h3>{title}</h3>
      <p>{body}</p>
      {children && <div class="empty-acts">{children}</div>}
    </div>
  );
}

/** The shape of what comes, after a moment. */
export function RowsSkeleton() {
  return (
    <div class="skeleton" aria-hidden="true">
      {[0, 1, 2, 3, 4].map((index) => (
        <div key={index} class="skeleton-row">
          <i class="round" />
          <span>
            <i />
            <i class="half" />
            <i class="third" />
          </span>
        </div>
      ))}
    </div>
  );
}
