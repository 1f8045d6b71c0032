"""paho-mqtt on strings: one command per line of standard input, one answer per line of standard output once it is done.

connect ID          with user name and empty password, MQTT 5; answers when CONNACK is here
subscribe ID FILTER, unsubscribe ID FILTER, publish ID TOPIC QOS PAYLOAD_IN_HEX: answer when acknowledged
vanish ID           closes the socket without a DISCONNECT
"""

import queue
import socket
import sys

import paho.mqtt.client as mqtt

WAIT_SECONDS = 20


class Peer:
    def __init__(self, port, client_id):
        self.done = queue.Queue()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.username_pw_set("user", "")
        self.client.on_connect = lambda *_: self.done.put("connect")
        self.client.on_subscribe = lambda *_: self.done.put("subscribe")
        self.client.on_unsubscribe = lambda *_: self.done.put("unsubscribe")
        self.client.on_publish = lambda *_: self.done.put("publish")
        self.client.connect("127.0.0.1", port, clean_start=True)
        self.client.loop_start()
        self.wait("connect")

    def wait(self, what):
        done = self.done.get(timeout=WAIT_SECONDS)
        assert done == what, f"{done} instead of {what}"


def main():
    port = int(sys.argv[1])
    peers = {}
    for line in sys.stdin:
        command, client_id, *rest = line.split()
        if command == "connect":
            peers[client_id] = Peer(port, client_id)
        elif command == "subscribe":
            peers[client_id].client.subscribe(rest[0], qos=1)
            peers[client_id].wait("subscribe")
        elif command == "unsubscribe":
            peers[client_id].client.unsubscribe(rest[0])
            peers[client_id].wait("unsubscribe")
        elif command == "publish":
            topic, qos, payload = rest
            peers[client_id].client.publish(topic, bytes.fromhex(payload), qos=int(qos))
            peers[client_id].wait("publish")
        elif command == "vanish":
            peers[client_id].client.socket().shutdown(socket.SHUT_RDWR)
        else:
            raise ValueError(line)
        print("done", flush=True)


main()
