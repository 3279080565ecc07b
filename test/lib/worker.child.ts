// Draws the tests' scene in a worker thread; terminates others in mid-run; then draws it in the main thread.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Pipeline } from '../../lib/index.js';
import { drawn, scene, sketch } from './sketch.js';

const TERMINATIONS = 6;

const inWorker = async (): Promise<void> => {
  await using pipe = await Pipeline.load(sketch.path);
  if (workerData === 'whole') return parentPort!.postMessage(await drawn(pipe));
  await pipe.generate({
    ...scene,
    steps: 1000,
    onProgress: (event) => event.type === 'step' && parentPort!.postMessage(event.step),
  });
};

const inMain = async (): Promise<void> => {
  const start = (what: string): Worker => new Worker(new URL(import.meta.url), { workerData: what });
  const whole = start('whole');
  const [worker] = (await once(whole, 'message')) as [string];
  await once(whole, 'exit');
  const terminated: number[] = [];
  for (let i = 0; i < TERMINATIONS; ++i) {
    const running = start('long');
    while (((await once(running, 'message')) as [number])[0] <= i);
    const began = performance.now();
    await running.terminate();
    terminated.push(performance.now() - began);
  }
  await using pipe = await Pipeline.load(sketch.path);
  const main = await drawn(pipe);
  process.stdout.write(JSON.stringify({ worker, terminated, main }));
};

await (isMainThread ? inMain() : inWorker());
