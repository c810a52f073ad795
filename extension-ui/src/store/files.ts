// Files on their way into a reply: each is judged here, then brought to the server at once.
import { ApiError } from '../api.ts';
import { t } from '../texts.ts';
import { judgeFile, mostFiles, type Upload } from '../uploads.ts';
import { put, without, type Core } from './core.ts';

export function openFiles(core: Core) {
  const { api, get, set } = core;
  const uploading = new Map<string, AbortController>();
  const tilesOf = (id: string): readonly Upload[] => get().uploads.get(id) ?? [];

  const bring = async (id: string, tile: Upload, file: File): Promise<void> => {
    const change = (patch: Partial<Upload>): void => {
      if (!get().uploads.has(id)) return;
      const changed = tilesOf(id).map((known) => (known.key === tile.key ? { ...known, ...patch } : known));
      set({ uploads: put(get().uploads, id, changed) });
    };
    const abort = new AbortController();
    uploading.set(tile.key, abort);
    try {
      const stored = await api.upload(file, (progress) => change({ progress }), abort.signal);
      change({ state: 'ready', progress: 1, id: stored.id, kind: stored.kind, contentType: stored.contentType });
    } catch (error) {
      const reason = error instanceof ApiError && error.message ? error.message : t('net.noAnswer');
      if (!abort.signal.aborted) change({ state: 'refused', reason });
    } finally {
      uploading.delete(tile.key);
    }
  };

  return {
    /** Chosen, dropped or pasted. */
    addFiles: (id: string, files: readonly File[]): void => {
      const conversation = get().conversations.get(id);
      const channel = get().channels.find((found) => found.id === conversation?.channel.id);
      if (!conversation || !channel) return;
      const room = mostFiles - tilesOf(id).length;
      if (files.length > room) core.toast(t('composer.tooManyFiles', { n: mostFiles }), null, true);
      for (const file of files.slice(0, Math.max(0, room))) {
        const { kind, reason } = judgeFile(file, channel.sending.files, t(`provider.${conversation.channel.provider}`));
        const tile: Upload = {
          key: crypto.randomUUID(),
          name: file.name,
          size: file.size,
          kind,
          contentType: file.type,
          preview: kind === 'image' && !reason ? URL.createObjectURL(file) : null,
          state: reason ? 'refused' : 'uploading',
          progress: 0,
          id: null,
          reason,
        };
        set({ uploads: put(get().uploads, id, [...tilesOf(id), tile]) });
        if (!reason) void bring(id, tile, file);
      }
    },
    removeFile: (id: string, key: string): void => {
      uploading.get(key)?.abort();
      const tiles = tilesOf(id).filter((tile) => tile.key !== key);
      set({ uploads: tiles.length > 0 ? put(get().uploads, id, tiles) : without(get().uploads, id) });
    },
  };
}
