import type { Kernels } from "./kernels.ts";
import { plain } from "./plain.ts";

let chosen = plain;

/** The kernels of fits that are not given their own. */
export const kernelsInUse = (): Kernels => chosen;

/** Chooses them for this process; models do not depend on the choice, time does. */
export const useKernels = (kernels: Kernels): void => {
  chosen = kernels;
};
