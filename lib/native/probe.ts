import { type ExecFileException, execFile } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { DeviceError, errorOf, type IpAdapterError, isErrorCode, quoted } from '../errors.js';
import { packageRoot } from './package.js';
import type { Card } from './types.js';

const LIMIT = 20_000; // ms; the first start of a driver may take seconds
const KEPT = 2_000; // characters of what the child wrote to stderr, from its end

const answers = z.union([
  z.object({
    devices: z.array(
      z.object({
        id: z.templateLiteral(['cuda:', z.int()]),
        name: z.string(),
        capability: z.string().regex(/^\d+\.\d+$/),
        memory: z.number(),
        driver: z.string(),
      }),
    ),
  }),
  z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string() }) }),
]);

/** The child's answer, its last line. */
const answerIn = (out: string): z.output<typeof answers> | undefined => {
  try {
    const parsed = answers.safeParse(JSON.parse(out.trimEnd().split('\n').at(-1)!));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined; // no JSON
  }
};

/** How a child ended that gave no answer. */
const endOf = (error: ExecFileException | null, limit: number): string => {
  if (!error) return 'gave no answer that can be read';
  if (error.killed) return `did not answer within ${limit / 1000} s`;
  if (error.signal) return `crashed with ${error.signal}`;
  return typeof error.code === 'number' ? `ended with exit code ${error.code}` : `did not start: ${error.message}`;
};

const failed = (library: string, what: string, stderr: string): IpAdapterError => {
  const kept = stderr.trim().slice(-KEPT);
  const last = kept.split('\n').at(-1);
  const said = last ? `; its last words: ${quoted(last)}` : '';
  return new DeviceError(
    'DEVICE_NONE',
    `The process that tried the NVIDIA driver ${what}${said}`,
    'See whether nvidia-smi works on this machine, or use device "cpu"',
    { details: { library, stderr: kept } },
  );
};

/** The cards that a library finds, asked in a process of its own; `limit` in ms. */
export const probeOnce = (library: string, limit: number = LIMIT): Promise<readonly Card[]> =>
  new Promise((resolve, reject) => {
    const script = join(packageRoot(), 'dist', 'native', 'probe-child.js');
    // Electron's program is Node only when told; options such as --inspect are meant for the caller's process
    const { NODE_OPTIONS: _, ...rest } = process.env;
    const env = { ...rest, ELECTRON_RUN_AS_NODE: '1' };
    const options = { env, timeout: limit, killSignal: 'SIGKILL', windowsHide: true } as const;
    execFile(process.execPath, [script, library], options, (error, stdout, stderr) => {
      const answer = error ? undefined : answerIn(stdout);
      if (!answer) return reject(failed(library, endOf(error, limit), stderr));
      if ('devices' in answer) return resolve(answer.devices);
      const { code, message, hint } = answer.error;
      reject(errorOf(isErrorCode(code) ? code : 'INTERNAL', message, hint, { details: { library } }));
    });
  });

const probed = new Map<string, Promise<readonly Card[]>>();

/** As `probeOnce`, once per library: what came out of it, cards or an error, holds as long as this process lives. */
export const probe = (library: string): Promise<readonly Card[]> => {
  const known = probed.get(library);
  if (known) return known;
  const asked = probeOnce(library);
  probed.set(library, asked);
  return asked;
};
