import { DataError, PlanError } from "../errors.ts";

/** Whether steps were refused because of the values of a tensor: other candidates may do. */
export function isUnfit(error: unknown): error is DataError | PlanError {
  return error instanceof DataError || error instanceof PlanError;
}

/** null for steps that a tensor cannot have. @throws what else went wrong */
export function unlessUnfit(error: unknown): null {
  if (isUnfit(error)) return null;
  throw error;
}
