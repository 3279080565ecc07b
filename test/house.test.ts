// The house: who may know whom (native/README.md draws it), what lib may import, what package.json promises, and that
// no file tells on which machine it was written. Every rule reads the files as they are.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Files below a folder, '/' between names, without what is built or installed. */
const files = (folder: string): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (!entry.isDirectory()) return entry.isFile() ? [path] : [];
    return /^(node_modules|dist|build.*|prebuilds|out|\.git|\.tap)$/.test(entry.name) ? [] : files(path);
  });

/** One cycle of a graph, `a -> b -> a`, or undefined. */
const cycle = (graph: ReadonlyMap<string, readonly string[]>): string | undefined => {
  const done = new Set<string>();
  const visit = (node: string, trail: readonly string[]): string | undefined => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node].join(' -> ');
    if (done.has(node)) return undefined;
    for (const next of graph.get(node) ?? []) {
      const found = visit(next, [...trail, node]);
      if (found) return found;
    }
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const found = visit(node, []);
    if (found) return found;
  }
  return undefined;
};

// ---- native ----

/** Folder → the folders it may include besides itself; arrows never turn back. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  plan: ['core'],
  io: ['core'],
  image: ['core'],
  models: ['core', 'plan'],
  onnx: ['core', 'plan'],
  weights: ['core', 'io'],
  cpu: ['core', 'plan'],
  cuda: ['core', 'plan'],
  runtime: ['core', 'plan', 'io', 'image', 'models', 'onnx', 'weights'],
  binding: ['core', 'plan', 'io', 'image', 'models', 'onnx', 'weights', 'runtime'],
};

/** Single arrows with a reason, `file or folder → header`. */
const SINGLE: readonly (readonly [from: RegExp, to: RegExp, why: string])[] = [
  [
    /^weights\/(store|blocks)\.h$/,
    /^plan\/backend\.h$/,
    'the store checks the wants of plans and packs as the backend says',
  ],
  [/^runtime\/device\.cpp$/, /^cpu\/(backend|table)\.h$/, 'the one place that chooses a backend'],
];

const sources = files('native').filter((path) => /\.(h|cpp|cu)$/.test(path));
const includes = new Map(
  sources.map((path) => [
    path.slice('native/'.length),
    [...read(path).matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)].map((match) => match[1]!),
  ]),
);
/** Rooms of cuda → what of native they may include besides themselves: a kernel sees the wrappers and nothing else. */
const CUDA: Readonly<Record<string, RegExp>> = {
  kernels: /^cuda\/device\//,
  device: /^cuda\/emulator\/calls\.h$/,
  emulator: /^core\//,
  backend: /^(core\/|plan\/|cuda\/(driver|kernels)\/|cuda\/packing\.h$)/,
  packing: /^(core\/|cuda\/packing\.h$)/, // of the host, on either side
  driver: /^(core\/|cuda\/(emulator|kernels)\/)/,
  library: /^(core\/|plan\/|cuda\/(driver|backend)\/)/,
};
const mayInclude = (from: string, to: string): boolean => {
  const [folder, other] = [from.split('/')[0]!, to.split('/')[0]!];
  if (folder === 'cuda') {
    const room = from.split('/')[1]!.replace(/\.(h|cpp)$/, '');
    return to.startsWith(`cuda/${room}/`) || CUDA[room]?.test(to) === true;
  }
  return (
    folder === other ||
    ARROWS[folder]?.includes(other) === true ||
    SINGLE.some(([file, header]) => file.test(from) && header.test(to))
  );
};

t.test('native: every include follows an arrow', async (test) => {
  test.ok(sources.length > 100, 'the sources were found');
  for (const folder of new Set([...includes.keys()].map((path) => path.split('/')[0]!)))
    test.ok(Object.hasOwn(ARROWS, folder), `native/${folder} has its place in the order`);
  for (const [from, headers] of includes)
    for (const to of headers) {
      if (!includes.has(to)) test.fail(`native/${from} includes "${to}", which is no file below native/`);
      if (!mayInclude(from, to)) test.fail(`native/${from} includes "${to}" against the arrows`);
    }
});

t.test('native: the arrows are an order, and the check sees what turns back', async (test) => {
  test.equal(cycle(new Map(Object.entries(ARROWS))), undefined);
  for (const [folder, below] of Object.entries(ARROWS))
    for (const other of below)
      for (const further of ARROWS[other]!) test.ok(below.includes(further), `${folder} may include ${further}`);
  for (const [from, to] of [
    ['core/arena.h', 'plan/plan.h'],
    ['models/unet.cpp', 'weights/store.h'],
    ['models/unet.cpp', 'cpu/backend.h'],
    ['onnx/graph.cpp', 'io/onnx.h'],
    ['models/unet.cpp', 'onnx/graph.h'],
    ['onnx/layers.cpp', 'models/blocks.h'],
    ['cpu/steps.cpp', 'models/unet.h'],
    ['io/open.cpp', 'models/configs.h'],
    ['runtime/load.cpp', 'cpu/backend.h'],
    ['binding/addon.cpp', 'cpu/table.h'],
    ['weights/lora.cpp', 'plan/builder.h'],
    ['image/warp.cpp', 'io/file.h'],
    ['cuda/kernels/product.h', 'cuda/emulator/calls.h'],
    ['cuda/kernels/product.h', 'core/dtype.h'],
    ['cuda/device/math.h', 'cuda/emulator/block.h'],
    ['cuda/device/math.h', 'core/dtype.h'],
    ['cuda/emulator/block.h', 'cuda/device/types.h'],
    ['cuda/emulator/block.h', 'plan/plan.h'],
    ['cuda/packing.cpp', 'cuda/device/types.h'],
    ['cuda/packing.cpp', 'plan/plan.h'],
    ['cuda/emulator/block.h', 'cuda/driver/table.h'],
    ['cuda/kernels/product.h', 'cuda/driver/table.h'],
    ['cuda/driver/device.h', 'cuda/device/device.h'],
    ['cuda/driver/device.h', 'plan/backend.h'],
    ['runtime/device.cpp', 'cuda/emulator/launch.h'],
  ] as const)
    test.notOk(mayInclude(from, to), `${from} may not include ${to}`);
  for (const [from, to, why] of SINGLE) {
    const used = [...includes].some(([file, headers]) => from.test(file) && headers.some((header) => to.test(header)));
    test.ok(used, `the exception is still needed: ${why}`);
  }
});

t.test('native: kernels are the same for card and emulator', async (test) => {
  const kernels = sources.filter((path) => path.startsWith('native/cuda/kernels/'));
  test.ok(kernels.length > 0, 'the kernels were found');
  for (const path of kernels) {
    test.notMatch(read(path), /^\s*#\s*if|\basm\b|__\w+__|threadIdx|blockIdx/m, `${path} uses wrappers alone`);
    test.notMatch(read(path), /^\s*#\s*include\s*</m, `${path} includes nothing but wrappers`);
  }
});

t.test('native: no file of the binding and of cuda is long', async (test) => {
  for (const path of sources.filter((source) => /^native\/(binding|cuda)\//.test(source)))
    test.ok(read(path).split('\n').length <= 350, `${path} has at most 350 lines`);
});

t.test('native: no header includes itself on some way', async (test) => {
  test.equal(cycle(includes), undefined);
});

t.test('native: N-API is known to the binding, threads and systems each to few files', async (test) => {
  const users = (header: string): string[] =>
    sources.filter((path) => new RegExp(`^\\s*#\\s*include\\s*<${header}>`, 'm').test(read(path)));
  for (const path of users('napi\\.h')) test.match(path, /^native\/binding\//);
  for (const path of users('thread')) test.match(path, /^native\/core\/system\.cpp$/);
  const systems = sources.filter((path) => /\b(_WIN32|__linux__|__APPLE__)\b/.test(read(path)));
  for (const path of systems)
    test.match(
      path,
      /^native\/((core|io)\/system|cpu\/features|binding\/node_api_windows|runtime\/device_library|cuda\/(driver\/library|library\/entry))\.cpp$/,
    );
  for (const path of sources.filter((source) => /^native\/(models|onnx)\//.test(source)))
    test.notMatch(read(path), /^\s*#\s*if/m, `${path} is the same for every device`);
});

// ---- lib ----

interface Source {
  /** What it imports and exports from, type imports included. */
  readonly imports: readonly string[];
  /** Loads with something that is no name in the source. */
  readonly computed: number;
  readonly texts: readonly string[];
  readonly anyOrEnum: readonly string[];
}

const parse = (name: string, text: string): Source => {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const imports: string[] = [];
  const texts: string[] = [];
  const anyOrEnum: string[] = [];
  let computed = 0;
  const visit = (node: ts.Node): void => {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier)
      imports.push((node.moduleSpecifier as ts.StringLiteral).text);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal))
      imports.push(node.argument.literal.text);
    if (ts.isCallExpression(node)) {
      const callee = node.expression;
      const [first] = node.arguments;
      if (callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require'))
        if (first && ts.isStringLiteral(first)) imports.push(first.text);
        else computed += 1;
      else if (ts.isPropertyAccessExpression(callee) && callee.name.text === 'dlopen') computed += 1;
    }
    if (ts.isStringLiteralLike(node)) texts.push(node.text);
    if (node.kind === ts.SyntaxKind.AnyKeyword || ts.isEnumDeclaration(node)) {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart());
      anyOrEnum.push(`${name}:${line + 1}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { imports, computed, texts, anyOrEnum };
};

const lib = new Map(
  files('lib')
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [path, parse(path, read(path))]),
);
/** `./x.js` as the file it stands for, `lib/x.ts`; packages keep their name. */
const resolved = (from: string, to: string): string =>
  to.startsWith('.') ? posix.join(posix.dirname(from), to).replace(/\.js$/, '.ts') : to;
/** Imports of the files whose path begins so, as [file, target]. */
const importsOf = (folder: string): [string, string][] =>
  [...lib]
    .filter(([path]) => path.startsWith(folder))
    .flatMap(([path, source]) => source.imports.map((to): [string, string] => [path, resolved(path, to)]));

const RUN: readonly string[] = [
  'native',
  'options',
  'prompt',
  'schedulers',
  'files',
  'hub',
  'images',
  'models',
  'faces',
  'init',
  'adapters',
  'controls',
  'loras',
];
/** Room → the rooms it may import from besides itself, type imports included; the ground is open to all. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  native: [],
  options: ['prompt', 'schedulers'],
  prompt: [],
  schedulers: [],
  files: ['schedulers'],
  hub: ['options', 'prompt', 'schedulers', 'files'],
  images: ['native', 'options', 'prompt', 'schedulers'],
  models: ['native', 'options', 'prompt', 'schedulers', 'files', 'images'],
  faces: ['native', 'options', 'prompt', 'schedulers', 'files', 'images', 'models'],
  init: ['native', 'options', 'prompt', 'schedulers', 'files', 'images', 'models', 'faces'],
  controls: ['native', 'options', 'prompt', 'schedulers', 'files', 'images', 'models'],
  adapters: ['native', 'options', 'prompt', 'schedulers', 'files', 'hub', 'images', 'models', 'faces'],
  loras: ['native', 'options', 'prompt', 'schedulers', 'files', 'hub', 'images', 'models', 'faces', 'adapters'],
  inspect: ['native', 'options', 'prompt', 'schedulers', 'files', 'hub', 'images', 'models', 'faces', 'adapters'],
  convert: ['native', 'options', 'prompt', 'schedulers', 'files', 'hub', 'images', 'models'],
  words: ['native', 'options', 'prompt', 'schedulers', 'files', 'images', 'models'],
  record: [...RUN, 'words', 'run'],
  run: RUN,
};
/** Files at the top: what everybody may use, and the doors, which use everybody. */
const GROUND: readonly string[] = ['errors.ts', 'warnings.ts'];
const DOORS: readonly string[] = ['pipeline.ts', 'index.ts'];

/** Whether one file of lib may import another; of the command line another test speaks. */
const mayImport = (from: string, to: string): boolean => {
  const [room, other] = [from, to].map((path) => path.split('/').slice(1)) as [string[], string[]];
  if (other.length === 1 && GROUND.includes(other[0]!)) return room.length > 1 || from !== 'lib/errors.ts';
  if (room.length === 1 && DOORS.includes(room[0]!))
    return other.length > 1 ? other[0] !== 'cli' : room[0] === 'index.ts';
  return room.length > 1 && other.length > 1 && (room[0] === other[0] || ROOMS[room[0]!]?.includes(other[0]!) === true);
};

t.test('lib: every import follows an arrow, types too', async (test) => {
  for (const path of lib.keys()) {
    const [, room, file] = path.split('/');
    if (file === undefined) test.ok([...GROUND, ...DOORS].includes(room!), `${path} may lie at the top`);
    else test.ok(room === 'cli' || Object.hasOwn(ROOMS, room!), `lib/${room} has its place in the order`);
    test.ok(read(path).split('\n').length <= 350, `${path} has at most 350 lines`);
  }
  for (const [path, to] of importsOf('lib/'))
    if (to.startsWith('lib/') && !path.startsWith('lib/cli/') && !mayImport(path, to))
      test.fail(`${path} imports ${to} against the arrows`);
});

t.test('lib: the arrows are an order, and the check sees what turns back', async (test) => {
  test.equal(cycle(new Map(Object.entries(ROOMS))), undefined);
  for (const [room, below] of Object.entries(ROOMS)) {
    for (const other of below)
      for (const further of ROOMS[other]!) test.ok(below.includes(further), `${room} may import from ${further}`);
    // planted: the arrow itself is fine, its reverse and whatever is not listed are seen
    for (const other of Object.keys(ROOMS)) {
      if (other === room) continue;
      test.equal(mayImport(`lib/${room}/a.ts`, `lib/${other}/b.ts`), below.includes(other), `${room} -> ${other}`);
    }
    for (const door of [...DOORS.map((name) => `lib/${name}`), 'lib/cli/index.ts'])
      test.notOk(mayImport(`lib/${room}/a.ts`, door), `${room} may not import ${door}`);
  }
  test.notOk(mayImport('lib/errors.ts', 'lib/warnings.ts') || mayImport('lib/warnings.ts', 'lib/run/run.ts'));
  test.notOk(mayImport('lib/pipeline.ts', 'lib/index.ts') || mayImport('lib/pipeline.ts', 'lib/cli/index.ts'));
});

t.test('lib: only native.ts may load the addon', async (test) => {
  test.ok(lib.size > 40, 'the sources were found');
  for (const [path, { computed, texts, imports }] of lib) {
    if (path === 'lib/native/native.ts') continue;
    test.equal(computed, 0, `${path} loads nothing by a computed name`);
    for (const text of [...texts, ...imports])
      if (/\.node$|^node-gyp-build/.test(text)) test.fail(`${path} names ${JSON.stringify(text)}`);
  }
});

t.test(
  'lib: the command line uses the public API and the table of options, and nobody uses the command line',
  async (test) => {
    for (const [path, to] of importsOf('lib/')) {
      const cli = path.startsWith('lib/cli/');
      if (!cli && to.startsWith('lib/cli/')) test.fail(`${path} imports ${to}`);
      if (!cli || !to.startsWith('lib/')) continue;
      const allowed = to.startsWith('lib/cli/') || to === 'lib/index.ts' || to.startsWith('lib/options/');
      // names the binaries, and why one does not load
      const binaries = ['lib/native/native.ts', 'lib/native/device-library.ts', 'lib/native/binary/machine.ts'];
      const doctor = path === 'lib/cli/doctor.ts' && binaries.includes(to);
      test.ok(allowed || doctor, `${path} imports ${to}`);
    }
  },
);

t.test('lib: samplers and prompts are pure, they know errors and nothing else of lib', async (test) => {
  for (const folder of ['lib/schedulers/', 'lib/prompt/'])
    for (const [path, to] of importsOf(folder))
      if (to.startsWith('lib/'))
        test.ok(to.startsWith(folder) || to === 'lib/errors.ts', `${path} may not import ${to}`);
  for (const [path, to] of importsOf('lib/schedulers/'))
    if (!to.startsWith('lib/')) test.equal(to, 'zod', `${path} may not import ${to}`);
});

/** Files of lib by what they import, type imports included. */
const importGraph = (sources: ReadonlyMap<string, Source>): Map<string, string[]> =>
  new Map(
    [...sources].map(([path, { imports }]) => {
      const own = imports.filter((to) => to.startsWith('.') && !to.endsWith('.json'));
      return [path, own.map((to) => resolved(path, to))];
    }),
  );

t.test('lib: no file imports itself on some way, types included', async (test) => {
  const graph = importGraph(lib);
  for (const [path, imports] of graph)
    for (const to of imports) test.ok(lib.has(to), `${path} imports ${to}, a file of lib`);
  test.equal(cycle(graph), undefined);
  const planted = new Map(lib);
  const back = "import type { Run } from '../run/request.js';";
  planted.set('lib/images/source.ts', parse('source.ts', read('lib/images/source.ts') + back));
  test.match(
    cycle(importGraph(planted)),
    /lib\/images\/source\.ts -> lib\/run\/request\.ts/,
    'a circle of types is seen',
  );
});

t.test('lib: ES modules, but for what `require` gives', async (test) => {
  const others = files('lib').filter((path) => /\.[cm]ts$/.test(path));
  test.strictSame(others, ['lib/index.cts'], 'every other file is read by the tests here');
  test.ok(
    read('lib/index.cts').endsWith("import api = require('./index.js');\nexport = api;\n"),
    'it is the same module',
  );
});

t.test('lib: no any, no enum', async (test) => {
  for (const [path, { anyOrEnum }] of lib) test.strictSame(anyOrEnum, [], path);
  const wrong = parse('wrong.ts', 'enum E { A }\nconst f = (x: any): unknown => require(x);\nawait import(name);');
  test.strictSame(wrong.anyOrEnum, ['wrong.ts:1', 'wrong.ts:2'], 'the check finds both');
  test.equal(wrong.computed, 2);
});

// ---- package.json ----

interface Manifest {
  readonly [field: string]: unknown;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(read('package.json')) as Manifest;

t.test('package.json: what installing depends on', async (test) => {
  test.equal(manifest.type, 'module');
  test.strictSame(manifest.binary, { napi_versions: [8] });
  test.equal(manifest.gypfile, false, 'npm does not compile because it sees binding.gyp');
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish'])
    test.notOk(Object.hasOwn(manifest.scripts, name), `no script ${name}`);
  test.ok(Object.hasOwn(manifest.devDependencies, 'onnxruntime-web'), 'the tests compare with it');
  for (const field of ['dependencies', 'optionalDependencies', 'peerDependencies'])
    test.notOk(Object.hasOwn((manifest[field] as object | undefined) ?? {}, 'onnxruntime-web'), `not in ${field}`);
  test.notOk(manifest.bundleDependencies ?? manifest.bundledDependencies);
});

t.test('package.json: every package that lib imports is a dependency', async (test) => {
  for (const [path, to] of importsOf('lib/')) {
    if (to.startsWith('lib/') || to.startsWith('node:') || to === 'package.json') continue;
    const name = to.split('/', to.startsWith('@') ? 2 : 1).join('/');
    test.ok(Object.hasOwn(manifest.dependencies, name), `${path} imports ${name}`);
  }
});

// ---- texts ----

t.test('every folder says what lives in it, and what native/README.md names is there', async (test) => {
  for (const folder of ['native', 'lib'])
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true }))
      if (entry.isDirectory())
        test.ok(existsSync(join(root, folder, entry.name, 'README.md')), `${folder}/${entry.name}/README.md`);
  const map = read('native/README.md');
  for (const folder of Object.keys(ARROWS)) test.ok(map.includes(`${folder}/`), `the map shows ${folder}/`);
  for (const readme of ['native/README.md', 'lib/README.md']) {
    const places = [dirname(readme), '.', 'native', 'test'];
    for (const [, name] of read(readme).matchAll(/`([\w./-]+\/[\w.-]+\.(?:h|cpp|ts|md|txt)|[\w./-]+\/)`/g))
      test.ok(
        places.some((place) => existsSync(join(root, place, name!))),
        `${readme} names ${name}`,
      );
  }
});

/** Quoted text of a test may be a path: it is an example. */
const unquoted = (text: string): string => text.replace(/'[^'\n]*'|"[^"\n]*"|`[^`]*`/g, '');
const MACHINE = /(?<![\w.:/-])\/(?:work|root|home\/\w+|Users\/\w+)\/\S*|(?<![\w.:/-])\/tmp\/\S+/;

t.test('no text holds a path of the machine it was written on', async (test) => {
  let count = 0;
  for (const path of files('.')) {
    const bytes = readFileSync(join(root, path));
    if (bytes.subarray(0, 8192).includes(0)) continue; // no text
    count += 1;
    const text = path.startsWith('test/') ? unquoted(bytes.toString()) : bytes.toString();
    const found = MACHINE.exec(text)?.[0];
    if (found) test.fail(`${path} holds ${found}`);
  }
  test.ok(count > 200, 'the texts were found');
  for (const path of ['root', 'work', 'tmp']) test.match(`see /${path}/main/x.png`, MACHINE);
  test.notMatch('https://example.org/work/x and native/work/x', MACHINE);
});
