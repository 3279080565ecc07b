// Files as torch.save writes them: a stored zip with a pickle of protocol 2 and one member for each storage.
import { crc32 } from 'node:zlib';

/** A tensor of f32 numbers. */
export interface Saved {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What is saved: tensors, lists and dicts of them, texts. */
export type Tree = Saved | string | readonly Tree[] | { readonly [name: string]: Tree };

const isSaved = (tree: Tree): tree is Saved => typeof tree === 'object' && 'data' in tree && 'shape' in tree;

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const ascii = (text: string): Buffer => Buffer.from(text, 'latin1');
const unicode = (text: string): Buffer => Buffer.concat([ascii('X'), u32(Buffer.byteLength(text)), Buffer.from(text)]);
const integer = (value: number): Buffer => Buffer.concat([ascii('J'), u32(value)]);
const tuple = (...items: Buffer[]): Buffer => Buffer.concat([ascii('('), ...items, ascii('t')]);

const pickled = (tree: Tree, storages: Float32Array[]): Buffer => {
  if (typeof tree === 'string') return unicode(tree);
  if (isSaved(tree)) {
    const key = String(storages.push(tree.data) - 1);
    const stride = tree.shape.map((_, i) => tree.shape.slice(i + 1).reduce((product, side) => product * side, 1));
    const id = tuple(
      unicode('storage'),
      ascii('ctorch\nFloatStorage\n'),
      unicode(key),
      unicode('cpu'),
      integer(tree.data.length),
    );
    const hooks = Buffer.concat([ascii('ccollections\nOrderedDict\n'), ascii(')R')]);
    const storage = Buffer.concat([id, ascii('Q')]);
    const args = tuple(
      storage,
      integer(0),
      tuple(...tree.shape.map(integer)),
      tuple(...stride.map(integer)),
      Buffer.from([0x89]),
      hooks,
    );
    return Buffer.concat([ascii('ctorch._utils\n_rebuild_tensor_v2\n'), args, ascii('R')]);
  }
  if (Array.isArray(tree))
    return Buffer.concat(
      [ascii('](')].concat(
        tree.map((item) => pickled(item as Tree, storages)),
        [ascii('e')],
      ),
    );
  const items = Object.entries(tree as { readonly [name: string]: Tree });
  const pairs = items.flatMap(([name, item]) => [unicode(name), pickled(item, storages)]);
  return Buffer.concat([ascii('}('), ...pairs, ascii('u')]);
};

const zipped = (members: readonly (readonly [string, Buffer])[]): Buffer => {
  const [files, directory]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const [name, bytes] of members) {
    const facts = Buffer.concat([
      Buffer.alloc(8), // no flags, stored, no time
      u32(crc32(bytes)),
      u32(bytes.length),
      u32(bytes.length),
      Buffer.from([name.length, 0, 0, 0]),
    ]);
    const version = Buffer.from([20, 0]);
    const file = Buffer.concat([ascii('PK\x03\x04'), version, facts, ascii(name), bytes]);
    directory.push(
      Buffer.concat([ascii('PK\x01\x02'), version, version, facts, Buffer.alloc(10), u32(at), ascii(name)]),
    );
    files.push(file);
    at += file.length;
  }
  const listed = Buffer.concat(directory);
  const count = Buffer.from([members.length, 0]);
  const end = Buffer.concat([
    ascii('PK\x05\x06'),
    Buffer.alloc(4),
    count,
    count,
    u32(listed.length),
    u32(at),
    Buffer.alloc(2),
  ]);
  return Buffer.concat([...files, listed, end]);
};

/** The bytes of `torch.save(tree)`. */
export const torchSaved = (tree: Tree): Buffer => {
  const storages: Float32Array[] = [];
  const program = Buffer.concat([Buffer.from([0x80, 2]), pickled(tree, storages), ascii('.')]);
  const data = storages.map(
    (numbers, i) => [`archive/data/${i}`, Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength)] as const,
  );
  return zipped([['archive/data.pkl', program], ...data, ['archive/version', ascii('3\n')]]);
};
