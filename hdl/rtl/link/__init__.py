"""The serial link: UART, frames, commands."""
