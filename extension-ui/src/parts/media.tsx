// What a message carries besides words: pictures, voice, video, files. Each keeps its place before it is loaded.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Attachment } from '../../../src/web/contract.ts';
import { t } from '../texts.ts';
import { duration, fileSize } from '../time.ts';
import { Icon } from './icon.tsx';

const widest = 320;
const stickerWidth = 128;

/** Width over height as it is drawn: very long and very tall pictures are cut to fit. */
export function pictureRatio(attachment: Attachment): number {
  const { width, height } = attachment;
  return Math.max(0.5, Math.min(2.4, width && height ? width / height : 4 / 3));
}

/** What stands in place of a file that is not here. */
export interface Missing {
  /** What it waits for; nothing when nobody works on it. */
  readonly pending: string;
  readonly fetchAgain: (attachment: Attachment) => void;
}

export function Pictures({
  pictures,
  author,
  missing,
  onOpen,
}: {
  pictures: readonly Attachment[];
  author: string;
  missing: Missing;
  onOpen: (attachment: Attachment) => void;
}) {
  const several = pictures.length > 1;
  return (
    <div class={`pictures${several ? ' several' : ''}`}>
      {pictures.map((attachment) => (
        <Picture
          key={attachment.id}
          attachment={attachment}
          author={author}
          missing={missing}
          square={several}
          onOpen={onOpen}
        />
      ))}
    </div>
  );
}

function Picture({
  attachment,
  author,
  missing,
  square,
  onOpen,
}: {
  attachment: Attachment;
  author: string;
  missing: Missing;
  square: boolean;
  onOpen: (attachment: Attachment) => void;
}) {
  const [broken, setBroken] = useState(false);
  const width = attachment.kind === 'sticker' ? stickerWidth : Math.min(widest, attachment.width ?? widest);
  const style = {
    '--picture-width': `${width}px`,
    aspectRatio: String(square ? 1 : pictureRatio(attachment)),
  } as Record<string, string>;
  const failed = attachment.state === 'failed' || broken;
  if (attachment.state !== 'ready' || !attachment.url || broken) {
    return (
      <div class={`picture ${failed ? 'failed' : 'pending'}`} style={style}>
        <Icon name={failed ? 'triangle-alert' : 'image'} size={20} />
        <span>{failed ? t('message.pictureFailed') : missing.pending}</span>
        {failed && (
          <button
            type="button"
            class="link-button"
            onClick={() => (broken ? setBroken(false) : missing.fetchAgain(attachment))}
          >
            {t('tryAgain')}
          </button>
        )}
      </div>
    );
  }
  const image = (
    <img
      src={attachment.url}
      alt={t('message.pictureFrom', { file: attachment.name, name: author })}
      decoding="async"
      onError={() => setBroken(true)}
    />
  );
  return attachment.kind === 'sticker' ? (
    <span class="picture sticker" style={style}>
      {image}
    </span>
  ) : (
    <button
      type="button"
      class="picture"
      style={style}
      onClick={() => onOpen(attachment)}
      aria-label={t('message.openPicture', { name: author })}
    >
      {image}
    </button>
  );
}

export function Video({ attachment, missing }: { attachment: Attachment; missing: Missing }) {
  const [broken, setBroken] = useState(false);
  if (attachment.state !== 'ready' || !attachment.url || broken)
    return <File attachment={attachment} missing={missing} icon="play" />;
  return (
    <video
      class="video"
      controls
      preload="metadata"
      src={attachment.url}
      style={{ aspectRatio: String(pictureRatio(attachment)) }}
      aria-label={attachment.name}
      onError={() => setBroken(true)}
    />
  );
}

const speeds = [1, 1.5, 2] as const;
const bars = 32;

/** The loudness of `bars` equal parts, 0 to 1. */
async function loudness(url: string): Promise<number[]> {
  const bytes = await (await fetch(url)).arrayBuffer();
  const sound = await new OfflineAudioContext(1, 1, 44_100).decodeAudioData(bytes);
  const samples = sound.getChannelData(0);
  const part = Math.max(1, Math.floor(samples.length / bars));
  const peaks = Array.from({ length: bars }, (_, bar) => {
    let peak = 0;
    for (let at = bar * part; at < (bar + 1) * part; at += 16) peak = Math.max(peak, Math.abs(samples[at] ?? 0));
    return peak;
  });
  const top = Math.max(...peaks, 0.01);
  return peaks.map((peak) => peak / top);
}

export function Voice({
  attachment,
  missing,
  onPlaying,
}: {
  attachment: Attachment;
  missing: Missing;
  onPlaying: (playing: boolean) => void;
}) {
  const audio = useRef<HTMLAudioElement>(null);
  const [playing, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const [length, setLength] = useState(attachment.duration ?? 0);
  const [speed, setSpeed] = useState<(typeof speeds)[number]>(1);
  const [peaks, setPeaks] = useState<readonly number[] | null>(null);
  const [broken, setBroken] = useState(false);
  useEffect(() => onPlaying(playing), [playing, onPlaying]);
  const { url } = attachment;
  if (attachment.state !== 'ready' || !url || broken)
    return <File attachment={attachment} missing={missing} icon="mic" />;
  const toggle = (): void => {
    const element = audio.current!;
    if (playing) return element.pause();
    // The shape of the sound is a nicety: without it the bars stay even.
    if (!peaks)
      void loudness(url)
        .then(setPeaks)
        .catch(() => undefined);
    element.playbackRate = speed;
    void element.play().catch(() => setBroken(true));
  };
  const share = length > 0 ? Math.min(1, at / length) : 0;
  return (
    <div class="voice">
      <audio
        ref={audio}
        src={url}
        preload={attachment.duration ? 'none' : 'metadata'}
        onLoadedMetadata={(event) => {
          if (Number.isFinite(event.currentTarget.duration)) setLength(event.currentTarget.duration);
        }}
        onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)}
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => (setPlaying(false), setAt(0))}
        onError={() => setBroken(true)}
      />
      <button
        type="button"
        class="voice-play"
        aria-label={t(playing ? 'message.pause' : 'message.play', { name: attachment.name })}
        onClick={toggle}
      >
        <Icon name={playing ? 'pause' : 'play'} size={16} />
      </button>
      <span class="voice-line">
        <span class="voice-bars" aria-hidden="true">
          {Array.from({ length: bars }, (_, bar) => (
            <i
              key={bar}
              class={bar / bars < share ? 'played' : ''}
              style={{ height: `${Math.round(3 + 15 * (peaks?.[bar] ?? 0.3))}px` }}
            />
          ))}
        </span>
        <input
          type="range"
          min={0}
          max={Math.max(1, length)}
          step={0.1}
          value={at}
          aria-label={t('message.position')}
          aria-valuetext={duration(at)}
          onInput={(event) => {
            if (audio.current) audio.current.currentTime = Number(event.currentTarget.value);
          }}
        />
      </span>
      <span class="voice-length">{duration(playing || at > 0 ? at : length)}</span>
      <button
        type="button"
        class="voice-speed"
        aria-label={t('message.speed', { n: speed })}
        onClick={() => {
          const next = speeds[(speeds.indexOf(speed) + 1) % speeds.length]!;
          setSpeed(next);
          if (audio.current) audio.current.playbackRate = next;
        }}
      >
        {new Intl.NumberFormat(document.documentElement.lang).format(speed)}×
      </button>
    </div>
  );
}

/** The middle of a long name is cut, so that its ending stays in sight. */
export function FileName({ name }: { name: string }) {
  const cut = name.length > 12 ? name.length - 8 : name.length;
  return (
    <span class="file-name" title={name}>
      <span>{name.slice(0, cut)}</span>
      <span>{name.slice(cut)}</span>
    </span>
  );
}

function fileFacts(name: string, size: number | null): string {
  const ending = name.includes('.') ? name.split('.').at(-1)!.toUpperCase() : '';
  return [ending, size === null ? '' : fileSize(size)].filter(Boolean).join(' · ');
}

export function File({
  attachment,
  missing,
  icon = 'file-text',
}: {
  attachment: Attachment;
  missing: Missing;
  icon?: 'file-text' | 'mic' | 'play';
}) {
  const inside = (
    <>
      <span class="tile">
        <Icon name={icon} size={18} />
      </span>
      <span class="file-text">
        <FileName name={attachment.name} />
        <span class="file-facts">
          {attachment.state === 'pending' && missing.pending !== ''
            ? missing.pending
            : attachment.state === 'failed'
              ? t('message.fileFailed')
              : fileFacts(attachment.name, attachment.size)}
        </span>
      </span>
    </>
  );
  return attachment.state === 'ready' && attachment.url ? (
    <a class="file" href={attachment.url} target="_blank" rel="noreferrer noopener">
      {inside}
    </a>
  ) : (
    <div class={`file ${attachment.state}`}>
      {inside}
      {attachment.state === 'failed' && (
        <button type="button" class="link-button" onClick={() => missing.fetchAgain(attachment)}>
          {t('tryAgain')}
        </button>
      )}
    </div>
  );
}
