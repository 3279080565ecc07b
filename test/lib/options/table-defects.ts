// What can be wrong with the table of options; options/table.test.ts holds the library's own to it and plants defects.
import ts from 'typescript';
import type { Group, Row } from '../../../lib/options/row.js';
import { defaultText, rangeText } from '../../../lib/options/words.js';

/** Names that a source reads: `x.name`, `{ name } = x`, `'name'` as an argument or key. */
export const namesRead = (file: string, text: string): ReadonlySet<string> => {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isPropertyAccessExpression(node)) names.add(node.name.text);
    if (ts.isBindingElement(node)) names.add((node.propertyName ?? node.name).getText());
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return names;
};

/** The comments of the members of interfaces, or of object types in type aliases. */
export const commentsOf = (file: string, text: string, ...names: readonly string[]): ReadonlyMap<string, string> => {
  const comments = new Map<string, string>();
  const member = (node: ts.Node): void => {
    if (ts.isPropertySignature(node)) {
      const doc = ts.getJSDocCommentsAndTags(node).map((it) => it.getText());
      comments.set(node.name.getText(), doc.join(' ').replace(/\s*\n\s*\*\s*/g, ' '));
      return;
    }
    ts.forEachChild(node, member);
  };
  ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true).forEachChild((node) => {
    const isIt = (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) && names.includes(node.name.text);
    if (isIt) ts.forEachChild(node, member);
  });
  return comments;
};

const rowDefects = (row: Row): string[] => {
  const { type, range, names, expects, unit, flag, says, acts } = row;
  const isNumber = type === 'whole' || type === 'number';
  const wrong: (string | false)[] = [
    (isNumber || type === 'text' || type === 'name') && !range && 'has no range',
    range !== undefined && !(range[0] < range[1]) && 'has an empty range',
    (isNumber || (type === 'special' && range !== undefined)) && !unit && 'has no unit',
    type === 'choice' && !names?.length && 'has no names',
    type === 'special' && !expects && 'does not say what it expects',
    row.default === undefined && 'has no default',
    typeof flag === 'string'
      ? !/^--[a-z][a-z-]+\d?( <.+>)?$/.test(flag) && 'has a malformed flag'
      : !flag?.none && 'has no flag',
    !acts && 'does not say what it acts on',
    (!says || /\.$/.test(says)) && 'has no sentence, or one with a full stop',
  ];
  return wrong.filter((it) => it !== false);
};

/** Where documentation and row say different things. */
const documentDefects = (row: Row, comment: string): string[] => {
  const plain = comment.replaceAll('`', '');
  const range = row.type === 'whole' || row.type === 'number' ? rangeText(row) : undefined;
  const fixed = row.default;
  const value = typeof fixed === 'object' ? fixed?.value : fixed;
  const text = value === undefined ? defaultText(row) : defaultText({ ...row, default: value });
  return [
    ...(range && !plain.includes(range) ? [`its comment lacks ${range}`] : []),
    ...(text && !row.required && !new RegExp(`Default:? ${text.replace(/[.*+?^${}()|[\]\\#]/g, '\\$&')}`).test(plain)
      ? [`its comment lacks "Default ${text}"`]
      : []),
  ];
};

/** Everything that is wrong with a group. `source` gives the text of a file of lib, `read` the names that a room reads. */
export const defectsOf = (
  group: Group,
  source: (file: string) => string,
  read: (room: string) => ReadonlySet<string>,
): string[] => {
  const { documented, rows, rooms } = group;
  const comments = documented && commentsOf(documented.file, source(documented.file), ...documented.names);
  const used = rooms.map(read);
  return [
    ...Object.entries(rows).flatMap(([name, row]) => [
      ...rowDefects(row).map((what) => `${name} ${what}`),
      ...(used.some((names) => names.has(name)) ? [] : [`${name} is read by nothing`]),
      ...(comments && !comments.has(name) ? [`${name} is not in ${documented.names[0]}`] : []),
      ...documentDefects(row, comments?.get(name) ?? '')
        .filter(() => comments?.has(name))
        .map((what) => `${name}: ${what}`),
    ]),
    ...[...(comments?.keys() ?? [])].filter((name) => !Object.hasOwn(rows, name)).map((name) => `${name} has no row`),
    ...group.later.filter((name) => Object.hasOwn(rows, name)).map((name) => `${name} is later and now`),
  ];
};

/** Flags of a command that no row has. */
export const flagsWithoutRow = (flags: readonly string[], groups: readonly Group[]): string[] => {
  const known = new Set(groups.flatMap(({ rows }) => Object.values(rows).map(({ flag }) => flag)));
  return flags.filter((flag) => !known.has(flag as `--${string}`));
};
