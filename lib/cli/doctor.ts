import { release } from 'node:os';
import { Command } from 'commander';
import { type CudaDevice, devices, type IpAdapterError, type UnusableDevice, version } from '../index.js';
import { findCudaLibrary } from '../native/device-library.js';
import { addon, addonPath } from '../native/native.js';
import { cardText, print, printJson } from './output.js';

/** Whether cards are used, and what is known of each; `library` is absent where none is installed. */
interface CudaReport {
  readonly usable: boolean;
  /** Why not. */
  readonly reason?: string;
  readonly library?: string;
  readonly cards: readonly (CudaDevice | UnusableDevice)[];
}

interface Report {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  readonly libc: string | null;
  readonly binary:
    | { readonly path: string }
    | { readonly code: string; readonly message: string; readonly hint: string };
  readonly cpu: { readonly levels: readonly string[]; readonly chosen: string; readonly threads: number } | null;
  readonly cuda: CudaReport;
  readonly problems: readonly string[];
}

const glibc = (): string | null => {
  const report = process.report?.getReport() as unknown as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime ?? null;
};

/** Missing or useless CUDA is no problem: pipelines run on the CPU then. */
const examineCuda = async (): Promise<CudaReport> => {
  const lookup = findCudaLibrary();
  const library = 'path' in lookup ? { library: lookup.path } : {};
  const found = (await devices()).filter((device) => device.id !== 'cpu');
  const cards = found.filter((device) => device.id !== 'cuda'); // `cuda` stands for all of them: there is no card to list
  if (found.some((device) => device.usable)) return { usable: true, ...library, cards };
  const reason = found.map((device) => (device.usable ? '' : device.reason)).join('; ');
  return { usable: false, reason, ...library, cards };
};

const examine = async (): Promise<Report> => {
  const problems: string[] = [];
  let binary: Report['binary'];
  let cpu: Report['cpu'] = null;
  let cuda: CudaReport = { usable: false, reason: 'the native addon does not load', cards: [] };
  try {
    binary = { path: addonPath() };
    const engine = new (addon().Engine)({});
    cpu = { levels: addon().levels(), chosen: engine.info.level, threads: engine.info.threads };
    engine.close();
    cuda = await examineCuda();
  } catch (error) {
    const known = error as IpAdapterError;
    problems.push(`${known.message}. ${known.hint ?? ''}`.trim());
    binary = { code: known.code ?? 'INTERNAL', message: known.message, hint: known.hint ?? '' };
  }
  return {
    version,
    node: process.version,
    platform: `${process.platform}-${process.arch} (${release()})`,
    libc: glibc(),
    binary,
    cpu,
    cuda,
    problems,
  };
};

const cudaLines = ({ usable, reason, library, cards }: CudaReport): string[] => [
  ...(usable
    ? cards.map((card) => `CUDA    ${card.id}  ${card.usable ? cardText(card) : `not used: ${card.reason}`}`)
    : [`CUDA    not used: ${reason}`]),
  ...(library ? [`        ${library}`] : []),
];

/** `doctor`: what is installed, what was found, what is wrong. */
export const doctorCommand = (): Command =>
  new Command('doctor')
    .description('say what is installed and whether it works')
    .option('--json', 'as JSON on stdout')
    .action(async (flags: { json?: boolean }) => {
      const report = await examine();
      if (flags.json) printJson(report);
      else {
        print(
          `node-ip-adapter ${report.version}, Node ${report.node}, ${report.platform}, glibc ${report.libc ?? '–'}`,
        );
        print('path' in report.binary ? `addon   ${report.binary.path}` : `addon   ${report.binary.code}`);
        if (report.cpu) {
          print(`CPU     ${report.cpu.chosen} of ${report.cpu.levels.join(', ')}; ${report.cpu.threads} threads`);
        }
        for (const line of cudaLines(report.cuda)) print(line);
        for (const problem of report.problems) print(`problem: ${problem}`);
      }
      if (report.problems.length > 0) process.exitCode = 1;
    });
