use std::process::ExitCode;

fn main() -> ExitCode {
    clinicall_relay::cli::main()
}
