import { release } from 'node:os';
import { Command } from 'commander';
import { type IpAdapterError, version } from '../index.js';
import { addon, addonPath } from '../native/native.js';
import { print, printJson } from './output.js';

interface Report {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  readonly libc: string | null;
  readonly binary:
    | { readonly path: string }
    | { readonly code: string; readonly message: string; readonly hint: string };
  readonly cpu: { readonly levels: readonly string[]; readonly chosen: string; readonly threads: number } | null;
  readonly cuda: { readonly usable: false; readonly reason: string };
  readonly problems: readonly string[];
}

const glibc = (): string | null => {
  const report = process.report?.getReport() as unknown as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header?.glibcVersionRuntime ?? null;
};

const examine = (): Report => {
  const problems: string[] = [];
  let binary: Report['binary'];
  let cpu: Report['cpu'] = null;
  try {
    binary = { path: addonPath() };
    const engine = new (addon().Engine)({});
    cpu = { levels: addon().levels(), chosen: engine.info.level, threads: engine.info.threads };
    engine.close();
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
    cuda: { usable: false, reason: 'this version runs on the CPU' },
    problems,
  };
};

/** `doctor`: what is installed, what was found, what is wrong. */
export const doctorCommand = (): Command =>
  new Command('doctor')
    .description('say what is installed and whether it works')
    .option('--json', 'as JSON on stdout')
    .action((flags: { json?: boolean }) => {
      const report = examine();
      if (flags.json) printJson(report);
      else {
        print(
          `node-ip-adapter ${report.version}, Node ${report.node}, ${report.platform}, glibc ${report.libc ?? '–'}`,
        );
        print('path' in report.binary ? `addon   ${report.binary.path}` : `addon   ${report.binary.code}`);
        if (report.cpu) {
          print(`CPU     ${report.cpu.chosen} of ${report.cpu.levels.join(', ')}; ${report.cpu.threads} threads`);
        }
        print(`CUDA    ${report.cuda.reason}`);
        for (const problem of report.problems) print(`problem: ${problem}`);
      }
      if (report.problems.length > 0) process.exitCode = 1;
    });
