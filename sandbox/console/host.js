// Plays Pipedrive's page around our surfaces: the wire protocol of @pipedrive/app-extensions-sdk 0.15.1, with real frames.
const frames = new Map();
const listeners = new Map();
window.__commands = [];

const bounds = {
  panel: { height: [100, 750] },
  modal: { width: [320, 10_000], height: [120, 10_000] },
  window: { width: [200, 800], height: [70, 700] },
  settings: {},
};
const floating = document.querySelector('#floating');
const dock = document.querySelector('#dock');
const layer = document.querySelector('#host-layer');

async function facts() {
  const answer = await fetch('/console/frame');
  return answer.ok ? answer.json() : undefined;
}

async function openSurface(place, surface, extra = {}) {
  const known = await facts();
  if (!known) return undefined;
  const id = crypto.randomUUID();
  const query = new URLSearchParams({
    id,
    token: known.token,
    userId: known.userId,
    companyId: known.companyId,
    theme: document.documentElement.dataset.theme,
    ...extra,
  });
  const frame = document.createElement('iframe');
  frame.title = `Messaging inbox, ${surface}`;
  frame.name = surface;
  frame.allow = 'clipboard-write';
  frame.src = `${known.appUrl}/ui/${surface}?${query}`;
  frames.set(id, { frame, surface, place, ready: false });
  place.replaceChildren(frame);
  if (surface === 'panel') frame.style.height = '420px';
  // A surface that does not introduce itself within ten seconds is never shown.
  setTimeout(() => {
    if (!frames.get(id)?.ready) frame.style.visibility = 'hidden';
  }, 10_000);
  return id;
}

/** As Pipedrive's own menus do. */
window.__openSurface = openSurface;

function push(id, event, data) {
  for (const port of listeners.get(`${id} ${event}`) ?? []) port.postMessage(data === undefined ? {} : { data });
}

function pushAll(event, data) {
  for (const id of frames.keys()) push(id, event, data);
}

const idOf = (surface) => [...frames].find(([, entry]) => entry.surface === surface)?.[0];

function showFloating(visible, context, invoker) {
  if (!floating) return;
  floating.hidden = !visible;
  const id = idOf('window');
  if (id) push(id, 'visibility', { is_visible: visible, context: { ...context, invoker } });
}

function resize(entry, { height, width } = {}) {
  const limits = bounds[entry.surface];
  const fits = (value, range) => range && typeof value === 'number' && value >= range[0] && value <= range[1];
  const target = entry.surface === 'window' ? floating : entry.frame;
  if (fits(height, limits.height)) target.style.height = `${entry.surface === 'window' ? height + 40 : height}px`;
  if (entry.surface !== 'panel' && fits(width, limits.width)) target.style.width = `${width}px`;
}

function confirmation({ title, description = '', okText = 'OK', cancelText = 'Cancel' }) {
  return new Promise((resolve) => {
    const scrim = document.createElement('div');
    scrim.className = 'scrim';
    scrim.innerHTML =
      '<div class="modal" role="dialog"><div class="body"><h1></h1><p></p><p class="buttons"><button class="no"></button><button class="yes primary"></button></p></div></div>';
    scrim.querySelector('h1').textContent = title;
    scrim.querySelector('p').textContent = description;
    scrim.querySelector('.no').textContent = cancelText;
    scrim.querySelector('.yes').textContent = okText;
    const end = (confirmed) => {
      scrim.remove();
      resolve({ confirmed });
    };
    scrim.querySelector('.no').onclick = () => end(false);
    scrim.querySelector('.yes').onclick = () => end(true);
    layer.append(scrim);
  });
}

function openModal(opener, { type, action_id: action, data, prefill }) {
  return new Promise((resolve) => {
    const scrim = document.createElement('div');
    scrim.className = 'scrim';
    scrim.innerHTML =
      '<div class="modal" role="dialog"><header><b></b><button type="button" aria-label="Close the dialog">×</button></header><div class="place"></div></div>';
    scrim.querySelector('b').textContent = type === 'custom_modal' ? action : `New ${type}`;
    const end = (answer) => {
      scrim.remove();
      resolve(answer);
      push(opener, 'close_custom_modal');
    };
    scrim.querySelector('button').onclick = () => end({ status: 'closed' });
    layer.append(scrim);
    const place = scrim.querySelector('.place');
    if (type === 'custom_modal') {
      openSurface(place, 'modal', data ? { data: JSON.stringify(data) } : {}).then((id) => {
        if (id) frames.get(id).close = () => end({ status: 'closed' });
      });
      return;
    }
    place.innerHTML = '<div class="body"><pre></pre><p class="buttons"><button class="primary">Save</button></p></div>';
    place.querySelector('pre').textContent = JSON.stringify(prefill ?? {}, null, 2);
    place.querySelector('button').onclick = () => end({ status: 'submitted', id: 1 });
  });
}

const commands = {
  initialize: (id, args) => {
    const entry = frames.get(id);
    entry.ready = true;
    entry.frame.style.visibility = '';
    resize(entry, args?.size);
  },
  get_signed_token: async () => ({ token: (await facts()).token }),
  resize: (id, args) => resize(frames.get(id), args),
  show_snackbar: (_id, { message }) => {
    document.querySelector('.snackbar')?.remove();
    const bar = document.createElement('div');
    bar.className = 'snackbar';
    bar.role = 'status';
    bar.textContent = message;
    document.body.append(bar);
    setTimeout(() => bar.remove(), 5000);
  },
  show_confirmation: (_id, args) => confirmation(args),
  open_modal: (id, args) => openModal(id, args),
  close_modal: (id) => {
    frames.get(id)?.close?.();
  },
  redirect_to: (_id, { view, id: record }) => {
    const paths = {
      deals: record ? `/deal/${record}` : '/',
      leads: record ? `/leads/inbox/${record}` : '/leads/inbox',
      contacts: record ? `/person/${record}` : '/contacts',
      settings: document.querySelector('nav a:last-child').getAttribute('href'),
    };
    location.href = paths[view] ?? '/';
  },
  show_floating_window: (_id, args) => showFloating(true, args?.context, 'command'),
  hide_floating_window: (_id, args) => showFloating(false, args?.context, 'command'),
  set_notification: (_id, args) => {
    const badge = dock?.querySelector('.badge');
    if (!badge) return;
    const number = args?.number ?? 0;
    badge.hidden = number === 0;
    badge.textContent = number > 9 ? '9+' : String(number);
  },
  set_focus_mode: () => undefined,
  get_metadata: () => ({ windowHeight: innerHeight, windowWidth: innerWidth }),
};

window.addEventListener('message', async (event) => {
  const { payload, id } = event.data ?? {};
  const entry = frames.get(id);
  if (!entry || !payload || event.source !== entry.frame.contentWindow) return;
  const [port] = event.ports;
  if (payload.type === 'listener') {
    const key = `${id} ${payload.event}`;
    listeners.set(key, [...(listeners.get(key) ?? []), port]);
    return;
  }
  if (payload.type !== 'command') return;
  window.__commands.push({ surface: entry.surface, command: payload.command, args: payload.args });
  const run = commands[payload.command];
  if (!run) return port.postMessage({ error: 'Unknown command' });
  try {
    const data = await run(id, payload.args);
    port.postMessage(data === undefined ? {} : { data });
  } catch (error) {
    port.postMessage({ error: String(error) });
  }
});

document.querySelector('#theme')?.addEventListener('click', (event) => {
  const theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
  document.cookie = `theme=${theme}; path=/`;
  event.target.textContent = theme === 'dark' ? 'Light theme' : 'Dark theme';
  pushAll('user_settings_change', { theme });
});
dock?.addEventListener('click', () => showFloating(floating.hidden, {}, 'user'));
floating?.querySelector('.close').addEventListener('click', () => showFloating(false, {}, 'user'));
floating?.querySelector('header').addEventListener('pointerdown', (down) => {
  if (down.target.closest('button')) return;
  const box = floating.getBoundingClientRect();
  const move = (event) => {
    floating.style.left = `${box.left + event.clientX - down.clientX}px`;
    floating.style.top = `${Math.max(0, box.top + event.clientY - down.clientY)}px`;
    floating.style.right = 'auto';
  };
  const up = () => {
    removeEventListener('pointermove', move);
    removeEventListener('pointerup', up);
  };
  addEventListener('pointermove', move);
  addEventListener('pointerup', up);
});

for (const place of document.querySelectorAll('[data-surface]')) {
  const { surface, resource, id } = place.dataset;
  void openSurface(place, surface, resource ? { resource, view: 'details', selectedIds: id } : {});
}
