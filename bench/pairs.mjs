// Two things measured in turn, one repetition of each, as ratios of pairs: what drifts meanwhile drifts for both.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

// Between turns, in ms: nobody's threads shall be awake in the other's turn.
const REST = 20;

const quantile = (values, part) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
};

/**
 * A row of a bench program that runs once whenever it is asked; next() gives its seconds, undefined where the program has
 * no such row or can no more.
 */
export function onRequest(program, name, { threads, repetitions, level }) {
  const options = { only: name, 'on-request': 1, threads, repetitions, ...(level && { level }) };
  const args = Object.entries(options).flatMap(([option, value]) => [`--${option}`, String(value)]);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => {}); // it has ended: next() says so
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    next: async () => {
      child.stdin.write('\n');
      const { value: line, done } = await answers.next();
      return done ? undefined : JSON.parse(line).repetition;
    },
    end: () => {
      child.stdin.end();
      child.kill();
    },
  };
}

/** Pairs of seconds, of one and the other in turn. */
export async function pairsOf(name, repetitions, ours, theirs) {
  const pairs = [];
  for (let i = 0; i < repetitions; ++i) {
    const pair = [];
    for (const turn of [ours, theirs]) {
      await pause(REST);
      pair.push(await turn());
    }
    if (pair.includes(undefined)) break;
    pairs.push(pair);
  }
  if (pairs.length === 0) throw new Error(`ipa_bench has no row "${name}"`);
  return pairs;
}

/** One line on the screen, and the same as a row of a result. */
export const printed = (name, pairs, error) => {
  const ratios = pairs.map(([ours, theirs]) => theirs / ours);
  const [low, ratio, high] = [0.25, 0.5, 0.75].map((part) => quantile(ratios, part).toFixed(3));
  const [ours, theirs] = [0, 1].map((who) => {
    const seconds = pairs.map((pair) => pair[who]);
    return 1000 * quantile(seconds, 0.5);
  });
  const agreement = error === undefined ? '' : `, results differ by ${error.toExponential(1)}`;
  const times = `${pairs.length} pairs, ${ours.toFixed(2)} and ${theirs.toFixed(2)} ms`;
  console.log(`${name.padEnd(28)}${ratio}x  [${low}, ${high}]  ${times}${agreement}`);
  const quartiles = [Number(low), Number(high)];
  return { name, ratio: Number(ratio), quartiles, pairs: pairs.length, ours, theirs, ...(error && { error }) };
};
