// What the end-to-end tests share: the bundled model, one run of it, its bytes in this process and in a fresh one.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { defaultModel, type GenerateOptions, type LoadOptions, Pipeline } from '../../lib/index.js';

export const sketch = defaultModel();

/** A reference picture, such as `person-5-1.png`. */
export const reference = (name: string): string => join(dirname(sketch.path), 'references', name);

/** The run that tests repeat: short, everything else as the family says. */
export const scene: GenerateOptions = {
  prompt: 'portrait of a man, smiling, wearing a green hoodie, yellow background',
  seed: 3,
  steps: 8,
};

/** SHA-256 of raw pixels. */
export const digestOf = (pixels: Uint8Array): string => createHash('sha256').update(pixels).digest('hex');

/** SHA-256 of the first picture of `scene`, changed by `options`. */
export const drawn = async (pipe: Pipeline, options: Partial<GenerateOptions> = {}): Promise<string> => {
  const { images } = await pipe.generate({ ...scene, ...options });
  return digestOf(images[0]!.data);
};

/** The bundled model, loaded until the test ends. */
export const opened = async (test: Test, options: LoadOptions = {}): Promise<Pipeline> => {
  const pipe = await Pipeline.load(sketch.path, options);
  test.teardown(() => pipe.dispose());
  return pipe;
};

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a script of this folder in a process of its own, with the loader that runs this one. */
export const child = (script: string, ...args: readonly string[]): Promise<Ended> =>
  program([...process.execArgv, fileURLToPath(new URL(script, import.meta.url)), ...args]);

/** Runs Node with these arguments. */
export const program = (args: readonly string[]): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    running.stdout.on('data', (part: Buffer) => {
      out += part.toString();
    });
    running.stderr.on('data', (part: Buffer) => {
      err += part.toString();
    });
    running.on('error', reject);
    running.on('close', (code, signal) => resolve({ code, signal, out, err }));
  });

/** SHA-256 of `scene`, changed by `options`, as a fresh process draws it. */
export const drawnElsewhere = async (options: Partial<GenerateOptions> = {}): Promise<string> => {
  const { code, out, err } = await child('draw.child.ts', JSON.stringify(options));
  if (code !== 0) throw new Error(`the other process ended with ${code}: ${err}`);
  return out.trim();
};

/** Cosine of two vectors. */
export const cosine = (a: Float32Array, b: Float32Array): number => {
  const dot = (u: Float32Array, v: Float32Array): number => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};

/** What a promise was rejected with, and when on `performance.now()`; code `none` when it was not. */
export const failure = (promise: PromiseLike<unknown>): Promise<{ readonly code: string; readonly at: number }> =>
  Promise.resolve(promise).then(
    () => ({ code: 'none', at: performance.now() }),
    (error) => Object.assign(error as Error & { code: string }, { at: performance.now() }),
  );
