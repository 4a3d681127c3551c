// The service's advice in this page's words: where it says what to type at a command line, the button or the field that
// does the same here.

const labels = new Map();

/** Learn what fields are called: `--local-port` is then “Local UDP port”. */
export function learnLabels(specs) {
  for (const { name, label } of specs) labels.set(name.replaceAll('_', '-'), label);
}

/** "session siteb lan" as the page has it: "session siteb/lan". */
const thing = (kind, names) => `${kind} ${kind === 'session' ? names.replace(' ', '/') : names}`;

const COMMANDS = [
  [/`l2tpctl restore[^`]*`/g, () => '“Restore”, on the page Host,'],
  [/`l2tpctl down`/g, () => '“Stop all”'],
  [/`l2tpctl confirm`/g, () => '“Keep it”'],
  [/`l2tpctl rollback`/g, () => '“Undo now”'],
  [/`l2tpctl (tunnel|session|link) (?:del|remove) ([^`]*)`/g, (_, kind, names) => `“Remove”, on the page of ${thing(kind, names)},`],
  [/`l2tpctl (tunnel|session|link) set ((?:(?! --)[^`])*) (--[^`]*)`/g, (_, kind, names, words) => `“Change”, on the page of ${thing(kind, names)}, to ${words}`],
  [/`l2tpctl (tunnel|session|link) set ([^`]*)`/g, (_, kind, names) => `“Change”, on the page of ${thing(kind, names)},`],
  [/`l2tpctl (tunnel|session|link) add [^`]*`/g, (_, kind) => `“Add ${kind}”`],
  [/`l2tpctl (tunnel|session|link) (?:show|list)[^`]*`/g, (_, kind) => `the page ${kind === 'link' ? 'Links' : 'Tunnels'}`],
  [/`l2tpctl log`/g, () => 'the page Log'],
  [/, @FILE that holds them/g, () => ''],
];

/** Advice as it can be followed on this page. */
export function onThisPage(words) {
  let said = words;
  for (const [command, here] of COMMANDS) said = said.replace(command, here);
  return said.replace(/--([a-z][a-z0-9-]*)/g, (option, name) => (labels.has(name) ? `“${labels.get(name)}”` : option)).replace(/,(?=[,;.:])/g, '').replace(/,$/, '');
}
