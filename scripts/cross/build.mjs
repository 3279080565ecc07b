// Builds a target of CMakeLists.txt for a machine other than this one, in build-cross/<machine>.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { crossCompiler } from './compiler.mjs';
import { crossRoot, root } from './package.mjs';

const require = createRequire(import.meta.url);

/** Its output where it fails; undefined where it does not. */
const failure = (program, args) => {
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.status === 0) return undefined;
  const why = result.error?.message ?? `exit code ${result.status}`;
  return `${result.stdout}${result.stderr}\n${program} ${args[0]}: ${why}`;
};

/** What cmake-js passes: the headers of Node-API, and the list of its functions. */
const nodeApi = () => {
  const folder = (name, from) => path.dirname(require.resolve(`${name}/package.json`, { paths: [from] }));
  const api = folder('node-api-headers', folder('cmake-js', root));
  return {
    CMAKE_JS_INC: [path.join(api, 'include'), folder('node-addon-api', root)].join(';'),
    CMAKE_JS_NODELIB_DEF: path.join(api, 'def', 'node_api.def'),
  };
};

/** Where products of a machine lie. @param {import('./machines.mjs').Machine} machine */
export const buildFolder = (machine) => path.join(crossRoot, machine.name);

/**
 * @param {import('./machines.mjs').Machine} machine
 * @param {readonly string[]} targets
 * @returns the folder of the products
 */
export function crossBuild(machine, targets) {
  const tools = crossCompiler(machine);
  const folder = buildFolder(machine);
  const values = {
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_SYSTEM_NAME: machine.system,
    CMAKE_SYSTEM_PROCESSOR: machine.processor,
    CMAKE_CXX_COMPILER: tools.cxx,
    CMAKE_AR: tools.ar,
    CMAKE_RANLIB: tools.ranlib,
    CMAKE_DLLTOOL: tools.dlltool,
    // By itself it checks for undefined behaviour and keeps what debuggers want.
    CMAKE_CXX_FLAGS: '-fno-sanitize=undefined -g0',
    CMAKE_MODULE_LINKER_FLAGS: '-s',
    CMAKE_EXE_LINKER_FLAGS: '-s',
    CMAKE_LIBRARY_OUTPUT_DIRECTORY: path.join(folder, 'Release'),
    ...nodeApi(),
    IPA_AVX512_HERE: 'OFF', // test programs run anywhere
  };
  const defined = Object.entries(values).map(([name, value]) => `-D${name}=${value}`);
  const configure = ['-S', root, '-B', folder, '-G', 'Ninja', ...defined];
  let wrong = failure('cmake', configure);
  if (wrong && existsSync(path.join(folder, 'CMakeCache.txt'))) {
    rmSync(folder, { recursive: true, force: true }); // it belongs to another folder or compiler
    wrong = failure('cmake', configure);
  }
  wrong ??= failure('cmake', [
    '--build',
    folder,
    '--parallel',
    String(os.availableParallelism()),
    '--target',
    ...targets,
  ]);
  if (wrong) throw new Error(wrong);
  return path.join(folder, 'Release');
}
