// The conversation: header, links strip, messages, who else is here, composer or what stands in its place.
import { useState } from 'preact/hooks';
import type { Host } from '../host.ts';
import { Icon } from '../parts/icon.tsx';
import { firstName } from '../parts/row.tsx';
import { t } from '../texts.ts';
import { Foot } from './foot.tsx';
import { LinksStrip } from './links-strip.tsx';
import { Messages } from './messages.tsx';
import { ThreadHeader, type ThreadHeaderProps } from './thread-header.tsx';

export interface ThreadPaneProps extends ThreadHeaderProps {
  readonly host: Host | null;
}

export function ThreadPane(props: ThreadPaneProps) {
  const { store, conversation, size } = props;
  const [dropping, setDropping] = useState(false);
  return (
    <section
      class="thread-pane"
      aria-label={t('thread.landmark', { name: conversation.contact.name })}
      onDragOver={(event) => {
        if (!event.dataTransfer?.types.includes('Files')) return;
        event.preventDefault();
        setDropping(true);
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setDropping(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setDropping(false);
        store.actions.addFiles(conversation.id, [...(event.dataTransfer?.files ?? [])]);
      }}
    >
      <ThreadHeader {...props} />
      {size.height >= 520 && !props.onFold && <LinksStrip {...props} />}
      <Messages store={store} conversation={conversation} host={props.host} onLink={props.onLink} />
      <Foot store={store} conversation={conversation} narrow={props.onePane || size.width < 480} />
      {dropping && (
        <div class="drop-here" aria-hidden="true">
          <Icon name="paperclip" size={22} />
          {t('composer.drop', { name: firstName(conversation.contact.name) })}
        </div>
      )}
    </section>
  );
}
