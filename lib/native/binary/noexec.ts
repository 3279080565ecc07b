import { readFileSync, realpathSync } from 'node:fs';

/** Spaces and the like are octal there. */
const plain = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** The folder that `path` is mounted under with noexec, from the text of /proc/self/mountinfo; undefined where it is not. */
export const noexecIn = (mounts: string, path: string): string | undefined => {
  let nearest = { point: '', isNoexec: false };
  for (const line of mounts.split('\n')) {
    const [, , , , mounted, options] = line.split(' ');
    if (mounted === undefined || options === undefined) continue;
    const point = plain(mounted);
    const holds = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
    // of two mounts on one folder the later one counts
    if (holds && point.length >= nearest.point.length)
      nearest = { point, isNoexec: options.split(',').includes('noexec') };
  }
  return nearest.isNoexec ? nearest.point : undefined;
};

/** The same of this machine; undefined where the system does not tell. */
export const noexecMount = (path: string): string | undefined => {
  try {
    return noexecIn(readFileSync('/proc/self/mountinfo', 'utf8'), realpathSync(path));
  } catch {
    return undefined;
  }
};
