// Unsent words, kept per conversation and user in this browser until they are sent (S-03).

const prefix = 'draft:';

export function readDraft(userId: string, conversationId: string): string {
  try {
    return localStorage.getItem(`${prefix}${userId}:${conversationId}`) ?? '';
  } catch {
    // A browser may refuse storage inside a frame: then a draft lives as long as the page.
    return '';
  }
}

export function writeDraft(userId: string, conversationId: string, text: string): void {
  try {
    const key = `${prefix}${userId}:${conversationId}`;
    if (text.trim() === '') localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // As above.
  }
}
