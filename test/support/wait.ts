// Waiting for a condition, never for a time.

/** Looks until `look` answers something true, and gives that back. Throws with the last thing seen. */
export async function until<T>(
  look: () => Promise<T> | T,
  what = 'the condition',
  limitMs = 10_000,
): Promise<Exclude<NonNullable<T>, false>> {
  const end = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen) return seen as Exclude<NonNullable<T>, false>;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(
        `waited in vain for ${what}; last seen: ${last instanceof Error ? last.message : JSON.stringify(last)}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
