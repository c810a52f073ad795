// The consent dialog as a page: who you are, which Pages, which permissions. Our own looks, nobody's logo.
import type { MetaPerson, MetaState } from './state.ts';

export interface Asked {
  redirectUri: string;
  state: string;
  scopes: string[];
  /** Login for Business: all permissions or none. */
  configId: string | null;
}

const meanings: Readonly<Record<string, string>> = {
  pages_show_list: 'Show a list of the Pages you manage',
  pages_messaging: 'Manage and answer messages of the Page',
  pages_manage_metadata: 'Subscribe to events of the Page',
  pages_read_engagement: 'Read conversations of the Page',
  business_management: 'See Pages of your business portfolio',
};

export function dialogPage(state: MetaState, asked: Asked, search: string): string {
  const people = [...state.people.values()];
  return layout(
    `Log in to ${state.app.name}`,
    people.length === 0
      ? '<h1>Nobody can log in here yet</h1><p>Add a person and a Page to the sandbox first.</p>'
      : `<form method="post" action="${html(search)}">
  <p class="small">Social login (sandbox)</p>
  <h1><b>${html(state.app.name)}</b> wants to use your Pages</h1>
  ${people.map((person, index) => personPart(state, person, index === 0)).join('\n')}
  <h2>What it may do</h2>
  ${asked.scopes.map(permissionPart).join('\n')}
  <div class="buttons">
    <button name="answer" value="cancel" class="quiet">Cancel</button>
    <button name="answer" value="continue">Continue</button>
  </div>
</form>`,
  );
}

function personPart(state: MetaState, person: MetaPerson, isFirst: boolean): string {
  const pages = [...person.tasks.keys()].flatMap((id) => state.pages.get(id) ?? []);
  const lines = pages.map(
    (page) => `<label class="inner"><input type="checkbox" name="page" value="${page.id}" checked>
    <span>${html(page.name)}<small>${html(page.category)} · ${page.id}</small></span></label>`,
  );
  return `<fieldset><label><input type="radio" name="person" value="${person.id}"${isFirst ? ' checked' : ''}>
  <span>Continue as <b>${html(person.name)}</b></span></label>${lines.join('\n')}</fieldset>`;
}

function permissionPart(scope: string): string {
  return `<label><input type="checkbox" name="permission" value="${scope}" checked>
  <span>${html(meanings[scope] ?? scope)}<small>${scope}</small></span></label>`;
}

export function refusalPage(reason: string): string {
  return layout('This does not work', `<h1>This does not work</h1><p>${html(reason)}</p>`);
}

function layout(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${html(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  * { box-sizing: border-box } body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #eef1f5;
    font: 16px/1.45 system-ui, sans-serif; color: #1b1f27 }
  main { width: min(480px, 100vw); background: #fff; border-radius: 14px; padding: 28px; box-shadow: 0 6px 30px #1b1f2722 }
  h1 { font-size: 21px; font-weight: 500; margin: 4px 0 18px } h2 { font-size: 15px; margin: 20px 0 6px }
  fieldset { border: 1px solid #d9dee6; border-radius: 10px; margin: 0 0 12px; padding: 10px 14px }
  label { display: flex; gap: 10px; padding: 7px 0; align-items: flex-start } label.inner { margin-left: 26px }
  small, .small { display: block; color: #667085; font-size: 13px; margin: 0 } input { width: 18px; height: 18px; margin: 3px 0 0 }
  .buttons { display: flex; justify-content: flex-end; gap: 10px; margin-top: 22px }
  button { font: inherit; font-weight: 600; padding: 9px 18px; border-radius: 8px; border: 1px solid #4b57c9; background: #4b57c9;
    color: #fff; cursor: pointer } button.quiet { background: #fff; color: #1b1f27; border-color: #c9d0da }
  button:focus-visible, input:focus-visible { outline: 3px solid #9aa5ff; outline-offset: 2px }
</style></head><body><main>${body}</main></body></html>`;
}

function html(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
