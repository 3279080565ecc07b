// Draws on the emulated device in a worker thread; ends another in mid-run; then draws in the main thread.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Pipeline } from '../../lib/index.js';
import { drawn, scene, sketch } from './sketch.js';

const small = { ...scene, steps: 1, guidanceScale: 1, width: 64, height: 64 };
const load = (): Promise<Pipeline> => Pipeline.load(sketch.path, { device: 'emulated', threads: 2 });

const inWorker = async (): Promise<void> => {
  const pipe = await load(); // not disposed of: the end of the thread must do
  if (workerData === 'whole') return parentPort!.postMessage(await drawn(pipe, small));
  await pipe.generate({
    ...small,
    steps: 1000,
    onProgress: (event) => event.type === 'step' && parentPort!.postMessage(event.step),
  });
};

const inMain = async (): Promise<void> => {
  const start = (what: string): Worker => new Worker(new URL(import.meta.url), { workerData: what });
  const whole = start('whole');
  const [worker] = (await once(whole, 'message')) as [string];
  await once(whole, 'exit');
  const running = start('long');
  await once(running, 'message');
  await running.terminate();
  await using pipe = await load();
  process.stdout.write(JSON.stringify({ worker, main: await drawn(pipe, small) }));
};

await (isMainThread ? inMain() : inWorker());
