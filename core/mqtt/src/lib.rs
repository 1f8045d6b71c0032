//! The words and bytes of MQTT 3.1.1 and 5.0. No clock, socket, lock or task.
