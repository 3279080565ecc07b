/**
 * A step from σ to σ' as one down to `down` and noise of deviation `up` back to σ': down² + up² = σ'².
 * source: k-diffusion get_ancestral_step, up = min(σ', η·√(σ'²(σ² − σ'²)/σ²)); η = 1 forgets as much as it may, 0 nothing
 */
export const ancestralStep = (sigma: number, next: number, eta: number): { up: number; down: number } => {
  const most = Math.sqrt(Math.max((next * next * (sigma * sigma - next * next)) / (sigma * sigma), 0));
  const up = Math.min(next, eta * most);
  return { up, down: Math.sqrt(Math.max(next * next - up * up, 0)) };
};
