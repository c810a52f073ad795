// How notices behave in this browser: with a sound or without, and whether the floating window comes up by itself.

export interface NoticeOptions {
  readonly sound: boolean;
  readonly popUp: boolean;
}

const key = 'notice-options';

export function readNoticeOptions(): NoticeOptions {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<NoticeOptions>;
    return { sound: kept.sound === true, popUp: kept.popUp === true };
  } catch {
    // A frame may be denied storage: then there are no options.
    return { sound: false, popUp: false };
  }
}

export function writeNoticeOptions(options: NoticeOptions): void {
  try {
    localStorage.setItem(key, JSON.stringify(options));
  } catch {
    // As above.
  }
}

/** Two soft notes; nothing where the browser allows no sound before the first click. */
export function playSound(): void {
  if (!('AudioContext' in globalThis)) return;
  const context = new AudioContext();
  if (context.state === 'suspended') return void context.close();
  const begin = context.currentTime;
  for (const [index, pitch] of [659, 880].entries()) {
    const tone = context.createOscillator();
    const loudness = context.createGain();
    const at = begin + index * 0.12;
    tone.frequency.value = pitch;
    loudness.gain.setValueAtTime(0.0001, at);
    loudness.gain.exponentialRampToValueAtTime(0.12, at + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.0001, at + 0.4);
    tone.connect(loudness).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.45);
  }
  setTimeout(() => void context.close(), 1_000);
}
