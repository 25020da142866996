/** Errors of this package, whether they come from here or out of the WebAssembly module. */
export class ClinicallError extends Error {
  constructor(cause, message) {
    super(message);
    this.name = "ClinicallError";
    this.cause = cause;
  }

  static [Symbol.hasInstance](thing) {
    return thing?.name === "ClinicallError";
  }
}
