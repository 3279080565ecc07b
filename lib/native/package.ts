import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BinaryError } from '../errors.js';

const NAME = 'node-ip-adapter';
declare const __webpack_require__: unknown; // declared where webpack has put this file into a bundle
// a bundler leaves nothing here, or the place of its own output; webpack the place that this file was bundled from
const here: string | undefined = typeof __webpack_require__ === 'undefined' ? import.meta.url : undefined;

interface Manifest {
  readonly name: string;
  readonly version: string;
}

const manifestAt = (root: string): Manifest | undefined => {
  try {
    return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
};

const found = (): { readonly root: string; readonly manifest: Manifest } => {
  const root = here?.startsWith('file:') ? dirname(dirname(dirname(fileURLToPath(here)))) : undefined;
  const manifest = root === undefined ? undefined : manifestAt(root);
  if (root !== undefined && manifest?.name === NAME) return { root, manifest };
  throw new BinaryError(
    'BINARY_NOT_FOUND',
    `The code of ${NAME} stands apart from its native addon and model files. It was bundled: mark ${NAME} external`,
    `esbuild: --external:${NAME}; webpack: externals: ['${NAME}']; Next.js: serverExternalPackages: ['${NAME}']`,
    { details: { found: here } },
  );
};

/** The package's folder: `package.json`, the native addon and the bundled models are in it. */
export const packageRoot = (): string => found().root;

/** The version of this package, such as `0.1.0`. */
export const packageVersion = (): string => found().manifest.version;

/** CommonJS `require` from the package's folder. */
export const packageRequire = (name: string): unknown => createRequire(join(packageRoot(), 'package.json'))(name);

/** Path of a file of another package, `name/package.json`, as the package's folder sees it; undefined where it is not. */
export const packageResolve = (name: string): string | undefined => {
  try {
    return createRequire(join(packageRoot(), 'package.json')).resolve(name);
  } catch {
    return undefined;
  }
};
