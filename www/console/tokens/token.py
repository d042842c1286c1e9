import base64, hashlib, hmac, json, os, time, uuid

def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")

def identity_token(auth_id):
    head = {"alg": "HS256", "typ": "JWT"}
    claims = {"sub": auth_id, "exp": int(time.time()) + 300, "jti": str(uuid.uuid4())}
    signed = b".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    key = os.environ["MSCI_IDENTITY_SECRET"].encode()
    return (signed + b"." + encoded(hmac.new(key, signed, hashlib.sha256).digest())).decode()
