// Leads Inbox → Messaging: conversations, one thread, a composer, and what went to and fro.
const place = document.querySelector('[data-leads-inbox]');
const modes = { alive: 'answers', 404: '404', 410: '410', 403: '403', 405: '405', 501: '501', 500: '500', 401: '401' };
let open = null;
let seen = '';
let problem = '';

const make = (tag, values = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), values);
  element.append(...children.filter((child) => child !== null));
  return element;
};
const post = (path, body = {}) =>
  fetch(`/console/leads-inbox${path}`, { method: 'POST', body: JSON.stringify(body) }).then((answer) => answer.json());

const list = make('nav', { className: 'conversations', ariaLabel: 'Conversations' });
const log = make('div', { className: 'thread', role: 'log' });
const text = make('textarea', { rows: 2, placeholder: 'Write a message' });
text.setAttribute('aria-label', 'Message');
const template = make('select', { ariaLabel: 'Template' });
const files = make('input', { type: 'file', multiple: true, ariaLabel: 'Files' });
const send = make('button', { className: 'primary', textContent: 'Send' });
const note = make('p', { className: 'problem', role: 'alert', hidden: true });
const composer = make(
  'form',
  { className: 'composer', hidden: true },
  note,
  text,
  make('p', { className: 'buttons' }, template, files, send),
);
const mode = make(
  'select',
  { ariaLabel: 'Channels API' },
  ...Object.entries(modes).map(([value, name]) => make('option', { value, textContent: name })),
);
const trace = make('aside', { className: 'trace', ariaLabel: 'What went to and fro' });
place.append(
  make('header', {}, make('h1', { textContent: 'Messaging' }), make('label', {}, 'The Channels API ', mode)),
  make('div', { className: 'columns' }, list, make('section', { className: 'middle' }, log, composer), trace),
);

mode.onchange = () => post('/mode', { mode: mode.value === 'alive' ? 'alive' : Number(mode.value) });
template.onchange = () => {
  if (template.value) text.value = template.value;
};
text.onkeydown = (event) => {
  if (event.key === 'Enter' && !event.shiftKey) {
    event.preventDefault();
    composer.requestSubmit();
  }
};
composer.onsubmit = async (event) => {
  event.preventDefault();
  if (!open || send.disabled) return;
  send.disabled = true;
  const chosen = await Promise.all([...files.files].map(encoded));
  const answer = await post(`/${open.channel}/${open.conversation}/messages`, { text: text.value, files: chosen });
  send.disabled = false;
  problem =
    answer.status === 200 ? '' : `Not sent: ${answer.message ?? 'no answer'} (${answer.status} ${answer.code ?? ''})`;
  if (answer.status === 200) composer.reset();
  await look(true);
};

async function encoded(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = '';
  for (let at = 0; at < bytes.length; at += 32_768) binary += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return { name: file.name, type: file.type, base64: btoa(binary) };
}

const ticks = { sent: '✓ Sent', delivered: '✓✓ Delivered', read: '✓✓ Read', failed: '! Not sent' };
const clock = (time) => new Date(time).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });

function row(channel, conversation) {
  const last = conversation.messages.at(-1);
  const button = make(
    'button',
    { type: 'button' },
    make('b', { textContent: conversation.name }),
    make('small', { textContent: `${channel.name} · ${channel.provider}` }),
    make('span', { textContent: last ? last.message || last.attachments[0]?.name || '' : '' }),
  );
  if (open?.conversation === conversation.id) button.setAttribute('aria-current', 'true');
  button.onclick = () => {
    open = { channel: channel.id, conversation: conversation.id };
    problem = '';
    void look(true);
  };
  return button;
}

function bubble(channel, conversation, message) {
  const parts = message.attachments.map((attachment) => {
    const url = `/console/leads-inbox/${channel.id}/${conversation.id}/${message.id}/${attachment.id}`;
    return attachment.type.startsWith('image/')
      ? make('img', { src: url, alt: attachment.name ?? 'Picture' })
      : make('a', { href: url, textContent: attachment.name ?? 'File' });
  });
  const meta = [clock(message.created_at), message.mine ? ticks[message.status] : ''].filter(Boolean).join(' · ');
  return make(
    'article',
    { className: message.mine ? 'mine' : 'theirs' },
    ...parts,
    message.message ? make('p', { textContent: message.message }) : null,
    make('small', { textContent: meta }),
  );
}

function draw(now) {
  mode.value = String(now.mode);
  const rows = now.channels.flatMap((channel) =>
    channel.conversations.map((conversation) => row(channel, conversation)),
  );
  const empty = now.channels.length === 0 ? 'No channel was registered' : 'No conversations yet';
  list.replaceChildren(...(rows.length > 0 ? rows : [make('p', { className: 'empty', textContent: empty })]));
  const channel = now.channels.find(({ id }) => id === open?.channel);
  const conversation = channel?.conversations.find(({ id }) => id === open?.conversation);
  composer.hidden = !conversation;
  note.hidden = problem === '';
  note.textContent = problem;
  if (conversation) {
    const older = make('button', { type: 'button', textContent: 'Older messages' });
    older.onclick = () => void post(`/${channel.id}/${conversation.id}/older`).then(() => look(true));
    log.replaceChildren(
      ...(conversation.hasOlder ? [older] : []),
      ...conversation.messages.map((message) => bubble(channel, conversation, message)),
    );
    log.scrollTop = log.scrollHeight;
    const options = [
      make('option', { value: '', textContent: 'Template…' }),
      ...channel.templates.map(({ name, content }) => make('option', { value: content, textContent: name })),
    ];
    if (template.options.length !== options.length) template.replaceChildren(...options);
    template.hidden = channel.templates.length === 0;
  } else log.replaceChildren(make('p', { className: 'empty', textContent: 'Choose a conversation' }));
  const lines = (title, entries) => [
    make('h2', { textContent: title }),
    make('ul', { className: 'plain' }, ...entries.map((entry) => make('li', { textContent: entry }))),
  ];
  trace.replaceChildren(
    ...lines(
      'Received over the API',
      now.received.map(({ messageId, status }) => `…${messageId.slice(-6)} ${status}`),
    ),
    ...lines(
      'Asked of the app',
      now.asked.map(({ endpoint, status }) => `${endpoint} ${status}`),
    ),
    ...(now.problems.length > 0 ? lines('Not as documented', now.problems) : []),
  );
}

async function look(always = false) {
  const words = await fetch('/console/leads-inbox').then((answer) => answer.text());
  if (!always && words === seen) return;
  seen = words;
  draw(JSON.parse(words));
}

const again = () =>
  look()
    .catch(() => undefined)
    .finally(() => setTimeout(again, 400));
void again();
