// Answers and events cross on their way. What the stream has told since a question was asked is newer than its answer, which
// may have been read before; it is kept (S-01).
export interface Newest {
  /** The stream told of this conversation or message. */
  told(id: string): void;
  /** A question is asked now; says of its answer, for each id, whether the stream has told nothing newer meanwhile. */
  asking(): (id: string) => boolean;
}

export function createNewest(): Newest {
  let count = 0;
  const toldAt = new Map<string, number>();
  return {
    told: (id) => void toldAt.set(id, (count += 1)),
    asking: () => {
      const begun = count;
      return (id) => (toldAt.get(id) ?? 0) <= begun;
    },
  };
}
