// The customer's phone in the browser. The address holds who you are and which chat is open: #/Name/chat.
const layout = document.querySelector('#layout');
const icons = {
  back: '<path d="M15 5l-7 7 7 7" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round"/>',
  send: '<path d="M4 12L20 4l-5 16-3.5-6.5z" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/>',
  photo:
    '<rect x="3" y="5" width="18" height="14" rx="3" fill="none" stroke="currentColor" stroke-width="2"/><circle cx="8.5" cy="10" r="1.6" fill="currentColor"/><path d="M4 17l5-4 4 3 3-2.5 4 3.5" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/>',
  plus: '<path d="M12 5v14M5 12h14" stroke="currentColor" stroke-width="2" stroke-linecap="round"/>',
  nobody:
    '<path d="M12 4a4 4 0 110 8 4 4 0 010-8zM4 21c0-5 4-7 8-7s8 2 8 7" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"/>',
  whatsapp:
    '<path d="M7 3h10a3 3 0 013 3v12a3 3 0 01-3 3H7a3 3 0 01-3-3V6a3 3 0 013-3zm2 14h6" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round"/>',
  messenger: '<path d="M4 14l5-6 5 4 6-5-6 9-5-4z" fill="#fff"/>',
};
const tick = (paths) =>
  `<svg viewBox="0 0 20 14" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">${paths}</svg>`;
const one = tick('<path d="M4 7.5l4 4L16 2.5"/>');
const two = tick('<path d="M1 7.5l4 4L13 2.5"/><path d="M8 10.5l1.2 1L18 2.5"/>');

let customers = [];
let pictures = [];
let stream = null;
let streamFor = null;
let drawn = null;
let askedTurn = 0;

function place() {
  const [, customer = '', chat = ''] = location.hash.split('/').map(decodeURIComponent);
  const owner = customers.find((each) => each.id === customer);
  return { owner, chat: owner?.chats.find((each) => each.id === chat) };
}

function go(...parts) {
  location.hash = `/${parts.map(encodeURIComponent).join('/')}`;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name === 'html') made.innerHTML = value;
    else if (value !== false && value !== undefined && value !== null)
      made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function icon(name) {
  const holder = element('template', {
    html: `<svg viewBox="0 0 24 24" class="${name}" aria-hidden="true">${icons[name]}</svg>`,
  });
  return holder.content.firstChild;
}

function face(name, provider) {
  const letters = name
    .replace(/[^\p{L} ]/gu, '')
    .split(' ')
    .filter(Boolean);
  const initials = ((letters[0]?.[0] ?? '') + (letters.length > 1 ? letters.at(-1)[0] : '')).toUpperCase();
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 11);
  const made = element('span', { class: `face ${provider ?? ''}`, 'aria-hidden': 'true' }, initials || icon('nobody'));
  made.style.setProperty('--face', `hsl(${hue} 55% 90%)`);
  made.style.setProperty('--face-ink', `hsl(${hue} 45% 28%)`);
  if (provider) made.append(element('span', { class: 'mark' }, icon(provider)));
  return made;
}

const channelWord = { whatsapp: 'WhatsApp', messenger: 'Messenger' };

function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false });
}

function day(at) {
  const date = new Date(at);
  const today = new Date();
  if (date.toDateString() === today.toDateString()) return 'Today';
  return date.toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long' });
}

async function loadCustomers() {
  const answer = await fetch('/phone/customers');
  ({ customers, pictures } = await answer.json());
}

function chatPath({ owner, chat }) {
  return `/phone/customers/${encodeURIComponent(owner.id)}/chats/${encodeURIComponent(chat.id)}`;
}

/** +46 73 418 55 20; other countries as they are. */
function spaced(number) {
  return number.replace(/^\+46(\d\d)(\d{3})(\d\d)(\d\d)$/, '+46 $1 $2 $3 $4');
}

/** Draws what the address says; the composer and its text survive redraws of the same chat. */
async function draw() {
  const turn = (askedTurn += 1);
  await loadCustomers();
  const where = place();
  const content = where.chat ? await (await fetch(chatPath(where))).json() : null;
  if (turn !== askedTurn) return;
  const key = `${where.owner?.id ?? ''}/${where.chat?.id ?? ''}`;
  layout.dataset.chosen = String(Boolean(where.owner));
  if (drawn !== key) {
    const opened = document.querySelector('.add')?.open ?? false;
    layout.replaceChildren(peoplePart(), stagePart(where));
    document.querySelector('.add').open = opened;
    drawn = key;
    document.title = where.owner ? `${where.owner.name} – customer's phone` : "Customer's phone";
    if (where.chat && matchMedia('(min-width: 761px)').matches) document.querySelector('.composer textarea')?.focus();
  }
  drawPeople(where);
  if (where.chat) drawThread(where, content);
  else if (where.owner) drawChats(where);
}

function peoplePart() {
  return element(
    'section',
    { class: 'people', 'aria-label': 'Customers' },
    element(
      'header',
      {},
      element('h1', {}, "Customer's phone"),
      element('p', {}, 'Be a customer: choose who you are, then write.'),
    ),
    element('ul', {}),
    addPart(),
  );
}

function addPart() {
  const problem = element('p', { class: 'problem', role: 'alert' });
  const form = element(
    'form',
    {
      onsubmit: async (event) => {
        event.preventDefault();
        const answer = await fetch('/phone/customers', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(Object.fromEntries(new FormData(form))),
        });
        const body = await answer.json();
        problem.textContent = answer.ok ? '' : body.message;
        if (!answer.ok) return;
        form.reset();
        form.closest('details').open = false;
        go(body.id);
      },
    },
    element(
      'label',
      {},
      'Name',
      element('input', { name: 'name', required: true, maxlength: '80', autocomplete: 'off' }),
    ),
    element(
      'label',
      {},
      'Phone number (optional)',
      element('input', { name: 'number', placeholder: '+46 70 123 45 67', inputmode: 'tel', autocomplete: 'off' }),
    ),
    problem,
    element('button', { class: 'primary' }, 'Add customer'),
  );
  return element('details', { class: 'add' }, element('summary', {}, '+ New customer'), form);
}

function drawPeople({ owner }) {
  const list = layout.querySelector('.people ul');
  list.replaceChildren(
    ...customers.map((each) => {
      const unread = each.chats.reduce((sum, chat) => sum + chat.unread, 0);
      return element(
        'li',
        {},
        element(
          'button',
          { class: 'person', 'aria-current': String(each.id === owner?.id), onclick: () => choose(each) },
          face(each.name),
          element('span', {}, element('b', {}, each.name), element('small', {}, about(each))),
          unread > 0 ? element('span', { class: 'badge', 'aria-label': `${unread} new` }, String(unread)) : null,
        ),
      );
    }),
  );
  if (customers.length === 0)
    list.append(element('li', { class: 'empty' }, 'Nobody here yet. Add the first customer below.'));
}

/** One chat only is opened at once. */
function choose(each) {
  if (each.chats.length === 1) go(each.id, each.chats[0].id);
  else go(each.id);
}

function about(each) {
  const words = [...new Set(each.chats.map((chat) => channelWord[chat.provider]))];
  return [each.number && spaced(each.number), words.join(' and ')].filter(Boolean).join(' · ') || 'No channel yet';
}

function stagePart({ owner, chat }) {
  const screen = element('div', { class: `screen ${chat ? chat.provider : 'home'}` }, statusBar());
  if (!owner) screen.append(element('p', { class: 'empty' }, 'Choose a customer on the left.'));
  else if (chat) chatPart(screen, owner, chat);
  else homePart(screen, owner);
  return element('main', { class: 'stage' }, element('div', { class: 'phone' }, screen));
}

function statusBar() {
  return element('div', { class: 'bar', 'aria-hidden': 'true' }, clock(Date.now()), element('i'), element('em'));
}

function backButton(label, onclick) {
  return element('button', { class: 'back', 'aria-label': label, onclick }, icon('back'));
}

function homePart(screen, owner) {
  screen.append(
    element(
      'div',
      { class: 'top' },
      backButton('All customers', () => go('')),
      element('div', {}, element('h2', {}, 'Chats')),
    ),
    element('ul', { class: 'chats', 'aria-label': `Chats of ${owner.name}` }),
  );
}

function drawChats({ owner }) {
  const list = layout.querySelector('.chats');
  list.replaceChildren(
    ...owner.chats.map((chat) =>
      element(
        'li',
        {},
        element(
          'button',
          {
            class: `chat ${chat.provider}`,
            'data-unread': String(chat.unread > 0),
            onclick: () => go(owner.id, chat.id),
          },
          face(chat.name, chat.provider),
          element(
            'span',
            {},
            element(
              'span',
              { class: 'line' },
              element('b', {}, chat.name),
              chat.last ? element('time', {}, clock(chat.last.at)) : null,
            ),
            element('small', {}, lastWords(chat)),
          ),
          chat.unread > 0
            ? element('span', { class: 'badge', 'aria-label': `${chat.unread} new` }, String(chat.unread))
            : null,
        ),
      ),
    ),
  );
  if (owner.chats.length === 0) {
    list.append(element('li', { class: 'empty' }, 'There is no business to write to yet.'));
  }
}

function lastWords(chat) {
  if (chat.last) return (chat.last.mine ? 'You: ' : '') + chat.last.text;
  return `${channelWord[chat.provider]} · ${spaced(chat.address)}`;
}

function chatPart(screen, owner, chat) {
  const field = element('textarea', {
    rows: '1',
    placeholder: 'Message',
    'aria-label': `Message to ${chat.name}`,
    oninput: () => grow(field),
    onkeydown: (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void send();
    },
  });
  const send = async () => {
    const text = field.value.trim();
    if (text === '') return;
    field.value = '';
    grow(field);
    await post(owner, chat, '/messages', JSON.stringify({ text }), 'application/json');
  };
  const choice = picturesPart(owner, chat);
  screen.append(
    element(
      'div',
      { class: 'top' },
      backButton('Chats', () => go(owner.id)),
      face(chat.name, chat.provider),
      element(
        'div',
        {},
        element('h2', {}, chat.name),
        element('p', {}, `${channelWord[chat.provider]} · ${spaced(chat.address)}`),
      ),
    ),
    element(
      'p',
      { class: 'notice', hidden: true },
      'This channel is not connected to the inbox yet, so nobody there hears you.',
    ),
    element('div', { class: 'thread', role: 'log', 'aria-label': `Chat with ${chat.name}`, tabindex: '0' }),
    choice,
    element(
      'div',
      { class: 'composer' },
      element('button', { class: 'round', 'aria-label': 'Send a photo', onclick: () => toggle(choice) }, icon('photo')),
      field,
      element('button', { class: 'round send', 'aria-label': 'Send', onclick: () => void send() }, icon('send')),
    ),
  );
}

function toggle(choice) {
  const box = layout.querySelector('.thread');
  choice.hidden = !choice.hidden;
  box.scrollTop = box.scrollHeight;
}

function grow(field) {
  field.style.height = 'auto';
  field.style.height = `${field.scrollHeight + 2}px`;
}

function picturesPart(owner, chat) {
  const input = element('input', {
    type: 'file',
    accept: 'image/*',
    class: 'visually-hidden',
    tabindex: '-1',
    'aria-hidden': 'true',
    onchange: async () => {
      const [file] = input.files;
      box.hidden = true;
      if (file) await post(owner, chat, '/photo', file, file.type);
      input.value = '';
    },
  });
  const box = element(
    'div',
    { class: 'pictures', hidden: true },
    element(
      'button',
      { onclick: () => input.click() },
      element('span', { class: 'upload' }, icon('plus')),
      'From this computer',
    ),
    ...pictures.map(({ name, title }) =>
      element(
        'button',
        {
          onclick: async () => {
            box.hidden = true;
            await post(owner, chat, '/messages', JSON.stringify({ picture: name }), 'application/json');
          },
        },
        element('img', { src: `/phone/pictures/${name}`, alt: '', loading: 'lazy' }),
        title,
      ),
    ),
    input,
  );
  return box;
}

async function post(owner, chat, path, body, type) {
  await fetch(chatPath({ owner, chat }) + path, { method: 'POST', headers: { 'content-type': type }, body });
  await draw();
}

function drawThread({ chat }, { messages, typing }) {
  layout.querySelector('.notice').hidden = chat.isConnected;
  const box = layout.querySelector('.thread');
  const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80 || box.childElementCount === 0;
  const parts = messages.flatMap((message, index) => {
    const before = messages[index - 1];
    const isNewDay = !before || day(before.at) !== day(message.at);
    const bubble = bubblePart(message, isNewDay || before.mine !== message.mine, chat.provider);
    return isNewDay ? [element('div', { class: 'day' }, day(message.at)), bubble] : [bubble];
  });
  if (typing)
    parts.push(
      element('div', { class: 'typing', 'aria-label': 'is typing' }, element('i'), element('i'), element('i')),
    );
  const shown = JSON.stringify([messages, typing]);
  if (box.dataset.shown === shown) return;
  box.dataset.shown = shown;
  box.replaceChildren(...parts);
  if (isAtEnd) box.scrollTop = box.scrollHeight;
}

function bubblePart(message, isFirst, provider) {
  const classes = [
    'bubble',
    message.mine ? 'mine' : 'theirs',
    isFirst ? 'first' : '',
    message.reaction ? 'reacted' : '',
  ];
  return element(
    'div',
    { class: classes.filter(Boolean).join(' ') },
    ...message.photos.map((url) => element('img', { src: url, alt: 'Photo' })),
    ...message.files.map(({ name, url }) =>
      element('p', {}, element('a', { href: url, target: '_blank', rel: 'noopener' }, name)),
    ),
    message.text ? element('p', {}, message.text) : null,
    element(
      'div',
      { class: 'meta' },
      element('time', {}, clock(message.at)),
      message.mine
        ? element('span', {
            class: message.seen ? 'seen' : '',
            title: message.seen ? 'Seen' : 'Delivered',
            role: 'img',
            'aria-label': message.seen ? 'Seen' : 'Delivered',
            html: message.seen || provider === 'whatsapp' ? two : one,
          })
        : null,
    ),
    message.reaction ? element('span', { class: 'reaction' }, message.reaction) : null,
  );
}

/** An open stream with a chat tells the sandbox that the chat lies open, so it is closed while nobody looks. */
function listen() {
  const { owner, chat } = place();
  const wanted = document.hidden && chat ? 'hidden' : `${owner?.id ?? ''}/${chat?.id ?? ''}`;
  if (streamFor === wanted) return;
  stream?.close();
  streamFor = wanted;
  const query = wanted !== 'hidden' && chat ? `?${new URLSearchParams({ customer: owner.id, chat: chat.id })}` : '';
  stream = new EventSource(`/phone/events${query}`);
  stream.onmessage = () => void draw();
}

async function arrive() {
  await draw();
  listen();
  const isWide = matchMedia('(min-width: 761px)').matches;
  if (isWide && !place().owner && customers[0]) location.replace(`#/${encodeURIComponent(customers[0].id)}`);
}

addEventListener('hashchange', () => void arrive());
document.addEventListener('visibilitychange', () => listen());
void arrive();
