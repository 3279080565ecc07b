import { BinaryError, DeviceError, quoted, toError } from '../errors.js';
import type { Place } from './choose-device.js';
import { addon, addonPath } from './native.js';
import type { Dtype, Engine, MemorySpec, Stop } from './types.js';

/** An engine and what makes the flags that cancel its calls. Tests give their own. */
export interface EngineHost {
  readonly engine: Engine;
  /** What its networks run on: `cpu`, `cuda:0` … */
  readonly device: string;
  /** As it was asked for. */
  readonly memory?: MemorySpec;
  readonly stop: () => Stop;
  readonly close: () => void;
}

// Engines that are open, and the flags of their calls in progress: Node runs no environment hooks at process.exit()
const open = new Map<Engine, Set<Stop>>();
let listening = false;

const closeAll = (): void => {
  for (const stops of open.values()) for (const stop of stops) stop.raise();
  for (const engine of open.keys()) engine.close();
  open.clear();
};

/** Forgets a call's flag once the call has ended. */
export const released = (host: EngineHost, stop: Stop): void => {
  open.get(host.engine)?.delete(stop);
};

const levelOf = (levels: readonly string[]): string | undefined => {
  const named = process.env.IPA_CPU;
  if (named === undefined || named === '') return undefined;
  if (levels.includes(named)) return named;
  throw new DeviceError(
    'DEVICE_UNSUPPORTED',
    `IPA_CPU names the level ${quoted(named)}, this CPU and binary have ${levels.join(', ')}`,
    `Set IPA_CPU to one of ${levels.join(', ')}, or unset it`,
    { details: { option: 'IPA_CPU', found: named, expected: [...levels] } },
  );
};

/** How an engine is started. */
export interface EngineOptions {
  readonly threads: number;
  /** Default auto. */
  readonly dtype?: Dtype;
  /** Default the CPU. */
  readonly place?: Place;
  readonly memory?: MemorySpec;
}

const checkDtype = (dtype: Dtype, place: Place): void => {
  if (dtype !== 'f16' || place.id !== 'cpu') return;
  throw new DeviceError(
    'DEVICE_UNSUPPORTED',
    'dtype "f16" is for cards, and the device is the CPU',
    'Use dtype "auto", "f32" or "bf16", or a card: npx node-ip-adapter devices tells which there are',
    { details: { option: 'dtype', found: dtype, expected: ['auto', 'f32', 'bf16'], device: place.id } },
  );
};

/** An addon from before a device computes on the CPU instead, without a word. */
const checkDevice = (engine: Engine, place: Place): void => {
  const { device } = engine.info;
  if (place.id === 'cpu' || device === place.id) return;
  engine.close();
  const path = addonPath();
  throw new BinaryError(
    'BINARY_INCOMPATIBLE',
    `The native addon ${quoted(path)} was asked for ${place.id} and took ${device ?? 'the CPU'}: it is of another version`,
    'Build it anew: npx node-ip-adapter build, or use device "cpu"',
    { details: { path, found: device, expected: place.id } },
  );
};

/** Starts an engine: one thread that takes calls in order, and a pool of `threads`. */
export const startEngine = ({
  threads,
  dtype = 'auto',
  place = { id: 'cpu' },
  memory = {},
}: EngineOptions): EngineHost => {
  checkDtype(dtype, place);
  const { Engine, Stop, levels } = addon();
  const level = levelOf(levels());
  let engine: Engine;
  try {
    engine = new Engine({
      threads,
      dtype,
      ...('library' in place ? { device: place.id, library: place.library } : {}),
      ...(level === undefined ? {} : { level }),
      ...(memory.budget === undefined ? {} : { budget: memory.budget }),
      ...(memory.offload === undefined ? {} : { offload: memory.offload }),
    });
  } catch (error) {
    throw toError(error);
  }
  checkDevice(engine, place);
  const stops = new Set<Stop>();
  open.set(engine, stops);
  if (!listening) {
    listening = true;
    process.on('exit', closeAll);
  }
  return {
    engine,
    device: place.id,
    memory,
    stop: () => {
      const stop = new Stop();
      stops.add(stop);
      return stop;
    },
    close: () => {
      open.delete(engine);
      engine.close();
    },
  };
};

/** What `work` gives, or what `aborted` makes of the signal's reason as soon as it fires; the work goes on by itself. */
export const unlessAborted = async <T>(
  signal: AbortSignal | undefined,
  aborted: (reason: unknown) => Error,
  work: Promise<T>,
): Promise<T> => {
  if (!signal) return work;
  let cancel = (): void => undefined;
  const cancelled = new Promise<never>((_, reject) => {
    cancel = () => reject(aborted(signal.reason));
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel, { once: true });
  });
  work.catch(() => undefined); // the race may already be lost
  return Promise.race([cancelled, work]).finally(() => signal.removeEventListener('abort', cancel));
};

/**
 * Runs native work that a signal may cancel: rejects with the signal's reason as soon as it fires, while the native call
 * winds down on its own.
 */
export const cancellable = async <T>(
  host: EngineHost,
  signal: AbortSignal | undefined,
  aborted: (reason: unknown) => Error,
  work: (stop: Stop) => Promise<T>,
): Promise<T> => {
  if (signal?.aborted) throw aborted(signal.reason);
  const stop = host.stop();
  const running = work(stop).finally(() => released(host, stop));
  const stopped = (reason: unknown): Error => {
    stop.raise();
    return aborted(reason);
  };
  return unlessAborted(signal, stopped, running);
};
