// Draws a component again only when one of its props changed.
import { Component, createElement, type FunctionComponent } from 'preact';

export function memo<Props extends object>(inner: FunctionComponent<Props>) {
  return class extends Component<Props> {
    override shouldComponentUpdate(next: Readonly<Props>): boolean {
      const before = this.props as Record<string, unknown>;
      const after = next as Record<string, unknown>;
      const names = new Set([...Object.keys(before), ...Object.keys(after)]);
      return [...names].some((name) => before[name] !== after[name]);
    }

    override render() {
      return createElement(inner, this.props as Props);
    }
  };
}
